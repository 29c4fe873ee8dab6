//! Judges whether a file is a component that speaks our contract, before anything of it runs.
//! The names of a component's imports and exports carry the contract's version.

use std::path::Path;

use nuncio_model::untrusted;
use wasmtime::component::types;

use crate::Error;
use crate::error::CORE_MODULE;

/// The version of the contract that this nuncio speaks.
pub(crate) const CONTRACT_VERSION: &str = "0.1.0";

/// The contract's package; its interfaces are `nuncio:sink/NAME@VERSION`.
const PACKAGE: &str = "nuncio:sink/";

/// Interfaces that make a component a sink.
const EXPORTS: [&str; 2] = ["lifecycle", "writer"];

/// Says what a file is by its first bytes, so that the compiler sees components only.
///
/// The preamble is `\0asm`, version and layer: <https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md>.
pub(crate) fn check_preamble(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let found = match bytes {
        [] => "empty",
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => return Ok(()),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => CORE_MODULE,
        [0, b'a', b's', b'm', ..] => "WebAssembly of an unknown layer",
        _ if std::str::from_utf8(bytes).is_ok() => "text",
        _ => "some other kind of file",
    };
    Err(Error::NotAComponent {
        path: path.to_owned(),
        found,
    })
}

/// Reads world and version from the names of a component's imports and exports.
pub(crate) fn check_world(
    path: &Path,
    component: &types::Component,
    engine: &wasmtime::Engine,
) -> Result<(), Error> {
    let exports: Vec<String> = component
        .exports(engine)
        .map(|(name, _)| name.to_owned())
        .collect();
    let imports = component.imports(engine).map(|(name, _)| name.to_owned());
    judge(path, &exports, &imports.collect::<Vec<_>>())
}

fn judge(path: &Path, exports: &[String], imports: &[String]) -> Result<(), Error> {
    let ours = |names: &[String]| -> Vec<(String, String)> {
        names
            .iter()
            .filter_map(|name| name.strip_prefix(PACKAGE)?.split_once('@'))
            .map(|(name, version)| (name.to_owned(), version.to_owned()))
            .collect()
    };
    let exported = ours(exports);
    if exported.is_empty() {
        let found = match exports {
            [] => "nothing".to_owned(),
            some => some
                .iter()
                .map(|name| untrusted(name).to_string())
                .collect::<Vec<_>>()
                .join(", "),
        };
        return Err(Error::OtherWorld {
            path: path.to_owned(),
            found: untrusted(&found).to_string(),
        });
    }
    // The exports first: they are the contract that the plugin was built for.
    let other = exported
        .iter()
        .chain(&ours(imports))
        .find(|(_, version)| version != CONTRACT_VERSION)
        .cloned();
    if let Some((_, version)) = other {
        return Err(Error::ContractVersion {
            path: path.to_owned(),
            found: untrusted(&version).to_string(),
        });
    }
    match EXPORTS
        .iter()
        .find(|name| !exported.iter().any(|(export, _)| export == *name))
    {
        Some(missing) => Err(Error::Incompatible {
            path: path.to_owned(),
            reason: format!("it does not export {PACKAGE}{missing}@{CONTRACT_VERSION}"),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(exports: &[&str], imports: &[&str]) -> String {
        let owned = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        match judge(Path::new("p.wasm"), &owned(exports), &owned(imports)) {
            Ok(()) => "ok".to_owned(),
            Err(error) => format!("{} {error}", error.code()),
        }
    }

    #[test]
    fn world_and_version_come_from_the_names() {
        let sink = ["nuncio:sink/lifecycle@0.1.0", "nuncio:sink/writer@0.1.0"];
        assert_eq!(
            outcome(&sink, &["wasi:io/poll@0.2.6", "nuncio:sink/log@0.1.0"]),
            "ok"
        );
        assert_eq!(
            outcome(
                &["nuncio:sink/lifecycle@0.9.0", "nuncio:sink/writer@0.9.0"],
                &[]
            ),
            "PLG005 the plugin p.wasm was built for contract version 0.9.0, this nuncio speaks 0.1.0"
        );
        assert_eq!(
            outcome(&sink, &["nuncio:sink/kv@0.2.0"]),
            "PLG005 the plugin p.wasm was built for contract version 0.2.0, this nuncio speaks 0.1.0"
        );
        assert_eq!(
            outcome(&["wasi:cli/run@0.2.6"], &[]),
            "PLG004 p.wasm is a WebAssembly component, but no nuncio sink: it exports wasi:cli/run@0.2.6"
        );
        assert_eq!(
            outcome(&[], &[]),
            "PLG004 p.wasm is a WebAssembly component, but no nuncio sink: it exports nothing"
        );
        assert_eq!(
            outcome(&sink[..1], &[]),
            "PLG006 the plugin p.wasm does not fit the contract: it does not export nuncio:sink/writer@0.1.0"
        );
    }

    #[test]
    fn first_bytes_tell_what_a_file_is() {
        let found = |bytes: &[u8]| match check_preamble(Path::new("p"), bytes) {
            Err(Error::NotAComponent { found, .. }) => found,
            _ => "a component",
        };
        assert_eq!(found(b""), "empty");
        assert_eq!(found(b"[sinks]\n"), "text");
        assert_eq!(
            found(b"\x7fELF\x02\x01\x01\0\xff"),
            "some other kind of file"
        );
        assert_eq!(found(b"\0asm\x01\0\0\0"), CORE_MODULE);
        assert_eq!(found(b"\0asm\x0d\0\x01\0"), "a component");
    }
}
