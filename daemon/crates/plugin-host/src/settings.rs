//! Checks a sink's settings against the plugin's JSON Schema before the plugin sees them, so
//! that an operator gets all mistakes at once, each with its place.

use boon::{Compiler, Draft, SchemaIndex, Schemas, UrlLoader, ValidationError};
use nuncio_model::untrusted;
use serde_json::Value;

use crate::SettingProblem;

/// The schema's name while it is compiled; nothing is ever loaded from it.
const URL: &str = "urn:nuncio:settings-schema";

/// Whether the plugin's schema is one; says what is wrong with it.
pub(crate) fn check_schema(schema: &Value) -> Result<(), String> {
    compile(schema).map(|_| ())
}

/// All that is wrong with `settings`. Empty: nothing.
pub(crate) fn check(schema: &Value, settings: &Value) -> Vec<SettingProblem> {
    let whole = |message: String| {
        vec![SettingProblem {
            pointer: String::new(),
            message,
        }]
    };
    if !settings.is_object() {
        return whole("settings must be a table".into());
    }
    // The schema was compiled at load; a failure here would be the same one.
    let (schemas, index) = match compile(schema) {
        Ok(compiled) => compiled,
        Err(reason) => return whole(reason),
    };
    let mut problems = Vec::new();
    if let Err(error) = schemas.validate(settings, index) {
        collect(&error, &mut problems);
    }
    problems
}

fn compile(schema: &Value) -> Result<(Schemas, SchemaIndex), String> {
    let mut compiler = Compiler::new();
    compiler.set_default_draft(Draft::V7);
    compiler.use_loader(Box::new(NoLoader));
    let said = |error: boon::CompileError| {
        untrusted(&format!("is not a valid schema: {error:#}")).to_string()
    };
    compiler.add_resource(URL, schema.clone()).map_err(said)?;
    let mut schemas = Schemas::new();
    let index = compiler.compile(URL, &mut schemas).map_err(said)?;
    Ok((schemas, index))
}

/// The innermost errors are the ones to act on; those above only say that something failed.
fn collect(error: &ValidationError<'_, '_>, problems: &mut Vec<SettingProblem>) {
    if error.causes.is_empty() {
        let problem = SettingProblem {
            pointer: error.instance_location.to_string(),
            message: untrusted(&error.kind.to_string()).to_string(),
        };
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    for cause in &error.causes {
        collect(cause, problems);
    }
}

/// A schema may not make us read files or reach out.
struct NoLoader;

impl UrlLoader for NoLoader {
    fn load(&self, _url: &str) -> Result<Value, Box<dyn std::error::Error>> {
        Err("a remote $ref is not allowed".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(schema: &Value, settings: &Value) -> Vec<String> {
        check(schema, settings)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn all_mistakes_come_with_their_place() {
        let schema = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "required": ["url"],
            "additionalProperties": false,
            "properties": {
                "url": { "type": "string" },
                "batch": { "$ref": "#/definitions/Batch" },
            },
            "definitions": { "Batch": {
                "type": "object",
                "properties": { "a/b": { "type": "integer", "minimum": 1 } },
            } },
        });
        assert_eq!(check_schema(&schema), Ok(()));
        assert_eq!(
            shown(&schema, &json!({ "url": "x", "batch": { "a/b": 2 } })),
            [""; 0]
        );
        let mut problems = shown(&schema, &json!({ "ulr": "x", "batch": { "a/b": 0 } }));
        problems.sort();
        assert_eq!(
            problems,
            [
                "/batch/a~1b: must be >=1, but got 0",
                "additionalProperties 'ulr' not allowed",
                "missing properties 'url'",
            ]
        );
        assert_eq!(shown(&schema, &json!([])), ["settings must be a table"]);
    }

    #[test]
    fn a_schema_that_reaches_out_is_refused() {
        for target in [
            "file:///etc/hostname",
            "http://127.0.0.1:1/s.json",
            "other.json",
        ] {
            let refused = check_schema(&json!({ "properties": { "a": { "$ref": target } } }));
            assert!(refused.is_err(), "{target}: {refused:?}");
        }
    }
}
