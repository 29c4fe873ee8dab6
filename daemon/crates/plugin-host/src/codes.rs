//! The codes of plugins and of sinks made of them, with cause and remedy. Which error has which
//! code stands with who raises it; words of calls that deliver are those of dispatch.

use nuncio_model::CodeInfo;

const SINK: &str = "`nuncio check`, `nuncio plan` and `nuncio reload`; the sink's error in `nuncio status`, and the log";

/// Every code of plugins in ascending order.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: "PLG001",
        title: "the plugin's file cannot be read",
        cause: "no file stands at the path of `plugin` (a name without a path is looked for in [plugins] dir), or nuncio's user may not read it",
        remedy: "check the path in `plugin` and that nuncio's user may read the file",
        seen: SINK,
    },
    CodeInfo {
        code: "PLG002",
        title: "the file is not a plugin",
        cause: "it is no WebAssembly component: empty, text, another kind of file, or a core module that was built for a target without components",
        remedy: "copy or build the plugin's .wasm file again; the target wasm32-wasip2 makes a component",
        seen: SINK,
    },
    CodeInfo {
        code: "PLG003",
        title: "the plugin is damaged or incomplete",
        cause: "the file begins like a component, but the compiler does not accept it: mostly a download or copy that was cut",
        remedy: "copy or build the plugin's .wasm file again",
        seen: SINK,
    },
    CodeInfo {
        code: "PLG004",
        title: "the component is no nuncio sink",
        cause: "it is a valid component that exports nothing of nuncio's contract: it was made for something else",
        remedy: "use a plugin that is built with nuncio-sdk, or against the world `sink` of the contract",
        seen: SINK,
    },
    CodeInfo {
        code: "PLG005",
        title: "the plugin was built for another version of the contract",
        cause: "the message names the plugin's version and the one that this nuncio speaks",
        remedy: "get a build of the plugin for the version that this nuncio speaks, or the nuncio that fits the plugin",
        seen: SINK,
    },
    CodeInfo {
        code: "PLG006",
        title: "the plugin does not fit the contract",
        cause: "the version is right, but the plugin lacks an export, or wants something that nuncio does not offer to plugins",
        remedy: "build the plugin again with the SDK that belongs to this nuncio",
        seen: SINK,
    },
    CodeInfo {
        code: "PLG007",
        title: "the plugin failed while describing itself",
        cause: "its `describe` trapped, took too long or too much memory; it runs without any right and reaches nothing",
        remedy: "this is a mistake in the plugin: tell its author, or use another version",
        seen: SINK,
    },
    CodeInfo {
        code: "PLG008",
        title: "the plugin describes itself wrongly",
        cause: "a field of what `describe` gave is not valid; one that needs a newer nuncio is said to be so",
        remedy: "this is a mistake in the plugin: tell its author, or use another version",
        seen: SINK,
    },
    CodeInfo {
        code: "PLG009",
        title: "the sink's settings are wrong",
        cause: "`settings` does not fit the plugin's own schema, or the plugin refused it; the message has all places as JSON pointers",
        remedy: "correct `settings` of the sink",
        seen: SINK,
    },
    CodeInfo {
        code: "PLG010",
        title: "the sink lacks rights that its plugin needs",
        cause: "a right needs both the plugin's asking and the config's grant, and one that the plugin cannot do without is not granted",
        remedy: "grant it in [sinks.NAME.grants], as the hint writes it out; or use another plugin, if the plugin shall not have that right or this nuncio cannot grant it yet",
        seen: SINK,
    },
    CodeInfo {
        code: "PLG011",
        title: "the sink cannot use a granted folder",
        cause: "the folder `host` of a grant does not exist, is no folder, or nuncio's user may not open it",
        remedy: "create the folder, and let nuncio's user read it (and write it, for mode rw)",
        seen: SINK,
    },
    CodeInfo {
        code: "PLG012",
        title: "the plugin broke while opening",
        cause: "its `open` trapped, or ran out of memory or time",
        remedy: "out of memory: raise `limits.memory` of the sink; out of time: see whether its target answers, `limits.call_time` is the bound; a trap is a mistake in the plugin: tell its author, or use another version",
        seen: "the sink's error in `nuncio status`, and the log",
    },
    CodeInfo {
        code: "PLG013",
        title: "there is no room for an instance of the plugin",
        cause: "all sinks together run as many instances as the engine holds (256)",
        remedy: "lower `limits.in_flight` of the sinks",
        seen: "the sink's error in `nuncio status`, and the log",
    },
    CodeInfo {
        code: "PLG014",
        title: "the WebAssembly engine cannot start",
        cause: "the system does not give the address space, the executable memory or the thread that it needs",
        remedy: "nuncio needs to reserve address space and executable memory: see ulimit -v and MemoryDenyWriteExecute",
        seen: "`nuncio check`; `nuncio run` ends with exit code 1",
    },
    CodeInfo {
        code: "PLG020",
        title: "the plugin asks for something that is not built yet",
        cause: "it wants the whole record at every change of labels (`full`), which this release cannot give",
        remedy: "use a version of the plugin that asks for `light` or `none`",
        seen: SINK,
    },
];

/// What to do about a code of this crate.
pub(crate) fn remedy(code: &str) -> &'static str {
    CodeInfo::remedy(CODES, code)
}
