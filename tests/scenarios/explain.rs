//! What the program tells of itself: what its error codes mean, and what a config may hold.

use nuncio_tests::World;
use serde_json::{Value, json};

/// The first code in what a command said.
fn code_of(said: &str) -> &str {
    let (_, rest) = said.split_once("error[").expect("an error has a code");
    rest.split_once(']').expect("the code ends").0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_was_printed_is_explained() {
    let world = World::start(1, 1, 1).await;
    world.write_config("[google]\nservice_account_key = \"hunter2\"\n");
    let (exit, _, said) = world.run(&["check"]);
    assert_eq!(exit, 78, "{said}");
    let (_, _, no_daemon) = world.run(&["status"]);
    for (said, title, remedy) in [
        (
            &said,
            "a secret must not stand in the config",
            "file:/absolute/path",
        ),
        (&no_daemon, "no daemon answers", "nuncio run"),
    ] {
        let code = code_of(said);
        let (exit, text, error) = world.run(&["explain", code]);
        assert_eq!((exit, error.as_str()), (0, ""), "{text}");
        assert!(text.starts_with(&format!("{code}: {title}\n")), "{text}");
        for part in ["\n  cause ", "\n  remedy ", "\n  seen in ", remedy] {
            assert!(text.contains(part), "`{part}` is not in {text}");
        }
        // As a terminal shows it, and in small letters.
        for copied in [format!("error[{code}]:"), code.to_lowercase()] {
            assert_eq!(world.run(&["explain", &copied]).1, text);
        }
        let (exit, out, _) = world.run(&["explain", code, "--json"]);
        let row: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(
            (exit, &row["code"], &row["title"]),
            (0, &json!(code), &json!(title))
        );
        for member in ["cause", "remedy", "seen"] {
            assert_ne!(row[member].as_str().unwrap(), "", "{row}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_codes_are_listed_and_others_are_refused() {
    let world = World::start(1, 1, 1).await;
    let (exit, list, said) = world.run(&["explain"]);
    assert_eq!((exit, said.as_str()), (0, ""));
    let (_, out, _) = world.run(&["explain", "--json"]);
    let rows: Value = serde_json::from_str(&out).unwrap();
    let rows = rows.as_array().unwrap();
    assert!(rows.len() > 100, "{}", rows.len());
    for row in rows {
        let (code, title) = (
            row["code"].as_str().unwrap(),
            row["title"].as_str().unwrap(),
        );
        let is_listed = |line: &str| line.trim().starts_with(code) && line.ends_with(title);
        assert!(list.lines().any(is_listed), "{row}");
    }
    let (exit, page, _) = world.run(&["explain", "--markdown"]);
    assert_eq!(exit, 0);
    assert!(page.contains("\n| `SRC005` | "), "{page}");

    for (typed, hint) in [
        ("scr005", "did you mean `SRC005`?"),
        ("tarp", "did you mean `trap`?"),
        ("oops", "`nuncio explain` lists all codes"),
        ("\u{1b}[2J", "there is no code `\\u{1b}[2J`"),
    ] {
        let (exit, out, said) = world.run(&["explain", typed]);
        assert_eq!((exit, out.as_str()), (2, ""), "{said}");
        assert!(said.contains("error: there is no code"), "{said}");
        assert!(said.contains(hint), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_of_the_config_is_the_file_that_is_shipped() {
    let world = World::start(1, 1, 1).await;
    let (exit, out, said) = world.run(&["schema"]);
    assert_eq!((exit, said.as_str()), (0, ""));
    assert_eq!(out, include_str!("../../config/nuncio.schema.json"));
    let schema: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    assert_eq!(schema["additionalProperties"], false);
    assert!(schema["properties"]["google"]["properties"]["service_account_key"].is_object());
}
