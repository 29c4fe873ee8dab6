//! The bindings of contract version 0.1, generated from its WIT. Nothing is written by hand.
#![allow(
    clippy::all,
    missing_docs,
    unreachable_pub,
    reason = "generated; the contract itself documents each item"
)]

wasmtime::component::bindgen!({
    world: "sink",
    path: "../../../plugin-sdk/wit/v0",
    imports: {
        "nuncio:sink/attachments.[method]blob.read": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    // Records go out borrowed: the deep clone into owned types costs about half as much again.
    ownership: Borrowing { duplicate_if_necessary: true },
    with: { "nuncio:sink/attachments.blob": crate::host::Blob },
});
