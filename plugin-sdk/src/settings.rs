//! Settings as a type: the schema for `describe` and parsing for `open`, with a pointer to
//! the place that is wrong. The host checks settings against the schema first, so what is
//! found here is what a schema cannot say.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;

use crate::SettingProblem;

/// The JSON Schema (draft-07, as the contract asks) of a type of settings.
pub(crate) fn schema<S: JsonSchema>() -> String {
    let schema = SchemaSettings::draft07()
        .into_generator()
        .into_root_schema_for::<S>();
    serde_json::to_string(&schema).expect("a schema is plain JSON with text as names")
}

/// Reads the settings, or says what is wrong with them and where.
pub(crate) fn parse<S: DeserializeOwned>(text: &str) -> Result<S, SettingProblem> {
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        // The place in the text means nothing to an operator, who wrote TOML.
        let message = message
            .split(" at line ")
            .next()
            .unwrap_or_default()
            .to_owned();
        SettingProblem {
            pointer: pointer_at(text, consumed(text, &error)),
            message,
        }
    })
}

/// How many bytes of `text` were read when the error was found.
fn consumed(text: &str, error: &serde_json::Error) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    (before + error.column()).min(text.len())
}

/// One open object or array on the way to a place.
enum Frame {
    Object { name: Option<String> },
    Array { index: usize },
}

/// The JSON Pointer (RFC 6901) of the value that the first `consumed` bytes end in. `text`
/// is JSON; where it is not, the pointer is as good as the text.
fn pointer_at(text: &str, consumed: usize) -> String {
    let bytes = text.as_bytes();
    let mut frames: Vec<Frame> = Vec::new();
    let mut name_comes = false;
    let mut at = 0;
    while at < consumed {
        match bytes[at] {
            b'{' => {
                frames.push(Frame::Object { name: None });
                name_comes = true;
            }
            b'[' => {
                frames.push(Frame::Array { index: 0 });
                name_comes = false;
            }
            b'}' | b']' => {
                frames.pop();
                name_comes = false;
            }
            b':' => name_comes = false,
            b',' => match frames.last_mut() {
                Some(Frame::Object { name }) => {
                    *name = None;
                    name_comes = true;
                }
                Some(Frame::Array { index }) => *index += 1,
                None => {}
            },
            b'"' => {
                let end = string_end(bytes, at);
                if name_comes && let Some(Frame::Object { name }) = frames.last_mut() {
                    *name = serde_json::from_str(&text[at..end]).ok();
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    let mut pointer = String::new();
    for frame in frames {
        match frame {
            Frame::Object { name: Some(name) } => {
                pointer.push('/');
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
            }
            Frame::Array { index } => pointer.push_str(&format!("/{index}")),
            Frame::Object { name: None } => {}
        }
    }
    pointer
}

/// Where the string that starts at `start` ends: behind its closing quote.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Settings {
        url: String,
        #[serde(default)]
        hosts: Vec<Host>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Host {
        name: String,
        port: u16,
    }

    #[test]
    fn problems_point_at_the_setting() {
        let cases = [
            (
                r#"{"url": 5}"#,
                "/url",
                "invalid type: integer `5`, expected a string",
            ),
            (r#"{}"#, "", "missing field `url`"),
            (
                r#"{"url": "a, \"b\"", "ulr": 1}"#,
                "/ulr",
                "unknown field `ulr`, expected `url` or `hosts`",
            ),
            (
                r#"{"url": "a", "hosts": [{"name": "x", "port": 1}, {"name": "y"}]}"#,
                "/hosts/1",
                "missing field `port`",
            ),
            (
                "{\"url\": \"a\",\n \"hosts\": [{\"name\": \"x\",\n\"port\": 70000}]}",
                "/hosts/0/port",
                "invalid value: integer `70000`, expected u16",
            ),
            (
                r#"{"url": "a", "a/b~c": 1}"#,
                "/a~1b~0c",
                "unknown field `a/b~c`, expected `url` or `hosts`",
            ),
        ];
        for (text, pointer, message) in cases {
            let problem = parse::<Settings>(text).unwrap_err();
            assert_eq!(
                (problem.pointer.as_str(), problem.message.as_str()),
                (pointer, message),
                "{text}"
            );
        }
    }
}
