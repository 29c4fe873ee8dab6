//! How a [`Sink`] becomes the exports of a component. Called by `export_sink!` only;
//! plugin authors never name what is here.

use std::cell::RefCell;
use std::thread::LocalKey;

use crate::bindings::nuncio::sink::records as contract;
use crate::{OpenError, Outcome, Record, Sink, WriteError, panic, settings};

/// Makes the component's exports from a [`Sink`]. Once in a crate.
#[macro_export]
macro_rules! export_sink {
    ($sink:ty) => {
        const _: () = {
            struct Exported;

            std::thread_local! {
                static INSTANCE: ::std::cell::RefCell<::std::option::Option<$sink>> =
                    const { ::std::cell::RefCell::new(::std::option::Option::None) };
            }

            impl $crate::bindings::exports::nuncio::sink::lifecycle::Guest for Exported {
                fn describe() -> $crate::bindings::nuncio::sink::records::Info {
                    $crate::export::describe::<$sink>()
                }

                fn open(
                    settings: ::std::string::String,
                ) -> ::std::result::Result<(), $crate::OpenError> {
                    $crate::export::open(&INSTANCE, &settings)
                }

                fn close() {
                    $crate::export::close(&INSTANCE)
                }
            }

            impl $crate::bindings::exports::nuncio::sink::writer::Guest for Exported {
                fn write(
                    batch: ::std::vec::Vec<$crate::Record>,
                ) -> ::std::result::Result<::std::vec::Vec<$crate::Outcome>, $crate::WriteError>
                {
                    $crate::export::write(&INSTANCE, batch)
                }
            }

            // The names of the exports are no names for a native linker. There (tests, lints)
            // the functions are only looked at, so that nothing of the sink counts as unused.
            #[cfg(target_family = "wasm")]
    $crate::bindings::export!(Exported with_types_in $crate::bindings);
            #[cfg(not(target_family = "wasm"))]
            const _: () = {
                use $crate::bindings::exports::nuncio::sink::{lifecycle, writer};
                let _ = (
                    <Exported as lifecycle::Guest>::describe,
                    <Exported as lifecycle::Guest>::open,
                    <Exported as lifecycle::Guest>::close,
                    <Exported as writer::Guest>::write,
                );
            };
        };
    };
}

/// Where the one value of an instance lives.
pub type Slot<S> = &'static LocalKey<RefCell<Option<S>>>;

/// Answers `describe`.
pub fn describe<S: Sink>() -> contract::Info {
    panic::report_before_trap();
    S::describe().into_contract(settings::schema::<S::Settings>())
}

/// Answers `open`.
///
/// # Errors
/// Settings that do not fit the type, a second `open`, and what the sink itself answers.
pub fn open<S: Sink>(slot: Slot<S>, text: &str) -> Result<(), OpenError> {
    panic::report_before_trap();
    if slot.with_borrow(Option::is_some) {
        return Err(OpenError::fatal(
            "bug",
            "opened twice; the contract allows one `open` for each instance",
        ));
    }
    let parsed =
        settings::parse(text).map_err(|problem| OpenError::InvalidSettings(vec![problem]))?;
    let sink = S::open(parsed)?;
    slot.set(Some(sink));
    Ok(())
}

/// Answers `write`.
///
/// # Errors
/// A call before `open`, and what the sink itself answers.
pub fn write<S: Sink>(slot: Slot<S>, batch: Vec<Record>) -> Result<Vec<Outcome>, WriteError> {
    slot.with_borrow_mut(|sink| match sink {
        Some(sink) => sink.write(batch),
        None => Err(WriteError::fatal(
            "bug",
            "written to before `open`; the contract does not allow that",
        )),
    })
}

/// Answers `close`.
pub fn close<S: Sink>(slot: Slot<S>) {
    if let Some(sink) = slot.take() {
        sink.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Content, Info, Kind, LabelChanges, Right};

    /// Settings of the sink under test.
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        /// How many outcomes come back.
        outcomes: usize,
    }

    struct Counting(usize);

    impl Sink for Counting {
        type Settings = Settings;

        fn describe() -> Info {
            Info {
                name: "counting",
                version: "1.2.3",
                description: "Counts",
                kinds: &[Kind::Email, Kind::File],
                content: Content::Text,
                label_changes: LabelChanges::Light,
                rights: vec![
                    Right::dir_write("/out", "files go there"),
                    Right::dir_read("/in", "reads").optional(),
                ],
            }
        }

        fn open(settings: Settings) -> Result<Self, OpenError> {
            if settings.outcomes == 0 {
                return Err(OpenError::invalid_setting("/outcomes", "at least 1"));
            }
            Ok(Self(settings.outcomes))
        }

        fn write(&mut self, _batch: Vec<Record>) -> Result<Vec<Outcome>, WriteError> {
            Ok((0..self.0).map(|_| Outcome::Delivered).collect())
        }
    }

    thread_local! {
        static INSTANCE: RefCell<Option<Counting>> = const { RefCell::new(None) };
    }

    #[test]
    fn describe_has_the_contracts_words_and_the_schema() {
        let info = describe::<Counting>();
        assert_eq!(info.kinds, ["email", "file"]);
        assert_eq!(
            (info.content.as_str(), info.label_changes.as_str()),
            ("text", "light")
        );
        let rights: Vec<_> = info
            .rights
            .iter()
            .map(|r| (r.right.as_str(), r.target.as_str(), r.optional))
            .collect();
        assert_eq!(
            rights,
            [("dir-write", "/out", false), ("dir-read", "/in", true)]
        );
        let schema: serde_json::Value = serde_json::from_str(&info.settings_schema).unwrap();
        assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
        assert_eq!(
            schema["properties"]["outcomes"]["description"],
            "How many outcomes come back."
        );
        assert_eq!(schema["additionalProperties"], false);
    }

    #[test]
    fn an_instance_lives_from_open_to_close() {
        assert!(
            matches!(write(&INSTANCE, Vec::new()), Err(WriteError::Fatal(failure)) if failure.code == "bug")
        );
        let refused = open(&INSTANCE, r#"{"outcomes": "two"}"#);
        assert!(
            matches!(refused, Err(OpenError::InvalidSettings(p)) if p[0].pointer == "/outcomes")
        );
        assert!(matches!(
            open(&INSTANCE, r#"{"outcomes": 0}"#),
            Err(OpenError::InvalidSettings(_))
        ));
        assert!(open(&INSTANCE, r#"{"outcomes": 2}"#).is_ok());
        assert!(
            matches!(open(&INSTANCE, r#"{"outcomes": 2}"#), Err(OpenError::Fatal(failure)) if failure.code == "bug")
        );
        assert!(matches!(write(&INSTANCE, Vec::new()), Ok(outcomes) if outcomes.len() == 2));
        close(&INSTANCE);
        assert!(write(&INSTANCE, Vec::new()).is_err());
    }
}
