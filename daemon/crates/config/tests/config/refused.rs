//! How errors read that concern the file's form: syntax, unknown and planned keys, wrong types.

use crate::{alone, check, with_google};

#[test]
fn three_errors_give_three_messages_in_the_order_of_the_file() {
    check(
        &with_google(
            r##"
[sync]
sorces = ["gmail"]
poll_interval = "fast"

[[users]]
emial = "ana@example.com"
"##,
        ),
        r##"
error[CFG010]: nuncio.toml:2:1: unknown key `sorces` in [sync]
  2 | sorces = ["*****"]
    | ^^^^^^
  hint: did you mean `sources`?

error[CFG016]: nuncio.toml:3:17: `[sync] poll_interval`: "fast" is not a duration
  3 | poll_interval = "fast"
    |                 ^^^^^^
  hint: write a number and a unit, such as "200ms", "30s", "5m", "36h", "90d"

error[CFG010]: nuncio.toml:6:1: unknown key `emial` in [[users]]
  6 | emial = "***************"
    | ^^^^^
  hint: did you mean `email`?
"##,
    );
}

#[test]
fn broken_toml_is_one_error_with_its_place() {
    check(
        &alone(
            r##"
[google]
service_account_key = "credential:top-secret
admin = 3
"##,
        ),
        r##"
error[CFG005]: nuncio.toml:2:45: not valid TOML: invalid basic string, expected `"`
  2 | service_account_key = "*********************
    |                                             ^
  hint: correct the marked place; the rest of the file is judged after that
"##,
    );
}

#[test]
fn broken_toml_never_shows_a_value() {
    check(
        &alone(
            r##"
[google]
service_account_key = hunter2
"##,
        ),
        r##"
error[CFG005]: nuncio.toml:2:23: not valid TOML: string values must be quoted, expected literal string
  2 | service_account_key = *******
    |                       ^^^^^^^
  hint: correct the marked place; the rest of the file is judged after that
"##,
    );
}

#[test]
fn a_key_twice_is_broken_toml() {
    check(
        &alone(
            r##"
[sync]
since = "1d"
since = "2d"
"##,
        ),
        r##"
error[CFG005]: nuncio.toml:3:1: not valid TOML: duplicate key
  3 | since = "**"
    | ^^^^^
  hint: correct the marked place; the rest of the file is judged after that
"##,
    );
}

#[test]
fn an_empty_file_lacks_its_section() {
    check(
        &alone(
            r##"
"##,
        ),
        r##"
error[CFG012]: nuncio.toml:1:1: the section `[google]` is missing
  1 | 
    | ^
  hint: add a section `[google]` with `service_account_key = "file:/path"`
"##,
    );
}

#[test]
fn a_section_must_have_its_required_keys() {
    check(
        &alone(
            r##"
[google]
[[users]]
name = "Ana"
[sinks.search]
"##,
        ),
        r##"
error[CFG012]: nuncio.toml:1:1: `[google] service_account_key` is missing
  1 | [google]
    | ^^^^^^^^
  hint: add `service_account_key = "file:/etc/nuncio/service-account.json"` or `"credential:service-account"`

error[CFG012]: nuncio.toml:2:1: `[[users]] email` is missing
  2 | [[users]]
    | ^^^^^^^^^
  hint: add `email = "..."` with the user's primary address

error[CFG012]: nuncio.toml:4:1: `[sinks.search] plugin` is missing
  4 | [sinks.search]
    | ^^^^^^^^^^^^^^
  hint: add `plugin = "NAME.wasm"` (from [plugins] dir) or an absolute path
"##,
    );
}

#[test]
fn planned_keys_are_refused_by_name() {
    check(
        &with_google(
            r##"
[spool]
min_free = "5%"
[admin]
listen = "off"
[sinks.search]
plugin = "search.wasm"
filter = ""
[sinks.search.grants]
kv = "16MiB"
[[sinks.search.grants.http]]
host = "127.0.0.1:9200"
header = { authorization = "credential:search-auth" }
"##,
        ),
        r##"
error[CFG011]: nuncio.toml:2:1: `[spool] min_free` is not built yet in this release; remove it
  2 | min_free = "**"
    | ^^^^^^^^
  hint: it will be accepted by the release that builds it; see CHANGELOG

error[CFG011]: nuncio.toml:3:2: `[admin]` is not built yet in this release; remove it
  3 | [admin]
    |  ^^^^^
  hint: it will be accepted by the release that builds it; see CHANGELOG

error[CFG011]: nuncio.toml:7:1: `[sinks.search] filter` is not built yet in this release; remove it
  7 | filter = ""
    | ^^^^^^
  hint: it will be accepted by the release that builds it; see CHANGELOG

error[CFG011]: nuncio.toml:9:1: `[sinks.search] grants.kv` is not built yet in this release; remove it
  9 | kv = "*****"
    | ^^
  hint: it will be accepted by the release that builds it; see CHANGELOG

error[CFG011]: nuncio.toml:10:23: `[sinks.search] grants.http` is not built yet in this release; remove it
  10 | [[sinks.search.grants.http]]
     |                       ^^^^
  hint: it will be accepted by the release that builds it; see CHANGELOG
"##,
    );
}

#[test]
fn a_mistyped_required_key_is_one_error() {
    check(
        &alone(
            r##"
[gogle]
service_account_key = "file:/etc/nuncio/key.json"
[[users]]
emial = "ana@example.com"
"##,
        ),
        r##"
error[CFG010]: nuncio.toml:1:2: unknown key `gogle` at the top of the file
  1 | [gogle]
    |  ^^^^^
  hint: did you mean `google`?

error[CFG010]: nuncio.toml:4:1: unknown key `emial` in [[users]]
  4 | emial = "***************"
    | ^^^^^
  hint: did you mean `email`?
"##,
    );
}

#[test]
fn a_section_of_a_wrong_type_is_not_missing_too() {
    check(
        &alone(
            r##"
google = 1
"##,
        ),
        r##"
error[CFG013]: nuncio.toml:1:10: `google` must be a table, but is a whole number
  1 | google = 1
    |          ^
  hint: write a section `[google]`
"##,
    );
}

#[test]
fn control_characters_are_escaped() {
    check(
        &with_google(
            r##"
"\u001b[2J" = 1
[log]
format = "\u202e"
"##,
        ),
        r##"
error[CFG010]: nuncio.toml:1:1: unknown key `\u{1b}[2J` at the top of the file
  1 | "\u001b[2J" = *
    | ^^^^^^^^^^^
  hint: known here: google, sync, users, sinks, spool, plugins, log

error[CFG014]: nuncio.toml:3:10: `[log] format` does not know "\u{202e}"
  3 | format = "\u202e"
    |          ^^^^^^^^
  hint: allowed: "auto", "pretty", "json"
"##,
    );
}

#[test]
fn planned_values_are_refused_by_name() {
    check(
        &alone(
            r##"
[google]
service_account_key = "file:/etc/nuncio/key.json"
[sinks.search]
plugin = "search.wasm"
start = "backfill"
"##,
        ),
        r##"
error[CFG011]: nuncio.toml:5:9: `[sinks.search] start`: "backfill" is not built yet in this release; remove it
  5 | start = "backfill"
    |         ^^^^^^^^^^
  hint: allowed: "retained"
"##,
    );
}

#[test]
fn what_google_is_shown_must_fit_the_mode() {
    check(
        &alone(
            r##"
[google]
mode = "per_user"
fallback = "service_account"
"##,
        ),
        r##"
error[CFG012]: nuncio.toml:2:8: `[google] mode` is "per_user", but the section `[google.per_user]` is missing
  2 | mode = "per_user"
    |        ^^^^^^^^^^
  hint: add `[google.per_user]` with `client = "file:/etc/nuncio/oauth-client.json"` or `"credential:oauth-client"`

error[CFG014]: nuncio.toml:3:12: `[google] fallback` does not know "service_account"
  3 | fallback = "service_account"
    |            ^^^^^^^^^^^^^^^^^
  hint: allowed: "per_user"
"##,
    );
    check(
        &alone(
            r##"
[google]
service_account_key = "file:/k"
[google.per_user]
[google.keyless]
service_account = "nobody"
source = "/run/token"
"##,
        ),
        r##"
error[CFG018]: nuncio.toml:2:23: `[google] service_account_key` and `[google.keyless]` exclude each other
  2 | service_account_key = "file:/k"
    |                       ^^^^^^^^^
  hint: keep one of the two: keyless needs no key

error[CFG012]: nuncio.toml:3:1: `[google] per_user.client` is missing
  3 | [google.per_user]
    | ^^^^^^^^^^^^^^^^^
  hint: add `[google.per_user]` with `client = "file:/etc/nuncio/oauth-client.json"` or `"credential:oauth-client"`

error[CFG016]: nuncio.toml:5:19: `[google] keyless.service_account`: "nobody" is not a mail address
  5 | service_account = "nobody"
    |                   ^^^^^^^^
  hint: write it as local@domain, such as "ana@example.com"

error[CFG014]: nuncio.toml:6:10: `[google] keyless.source` is neither "metadata" nor a file
  6 | source = "/run/token"
    |          ^^^^^^^^^^^^
  hint: write "metadata", or "file:/absolute/path" of an external-account file
"##,
    );
}

#[test]
fn unknown_keys_are_explained() {
    check(
        &with_google(
            r##"
poll_interval = "60s"
colour = "blue"
[log]
level = "debug"
[[users]]
email = "ana@example.com"
alias = ["ana@old.example"]
accounts = [{ address = "ana@example.com", keys = "1" }]
"##,
        ),
        r##"
error[CFG010]: nuncio.toml:1:1: unknown key `poll_interval` at the top of the file
  1 | poll_interval = "***"
    | ^^^^^^^^^^^^^
  hint: `poll_interval` belongs to [sync]

error[CFG010]: nuncio.toml:2:1: unknown key `colour` at the top of the file
  2 | colour = "****"
    | ^^^^^^
  hint: known here: google, sync, users, sinks, spool, plugins, log

error[CFG010]: nuncio.toml:4:1: unknown key `level` in [log]
  4 | level = "*****"
    | ^^^^^
  hint: known here: format

error[CFG010]: nuncio.toml:7:1: unknown key `alias` in [[users]]
  7 | alias = ["***************"]
    | ^^^^^
  hint: did you mean `aliases`?

error[CFG010]: nuncio.toml:8:44: unknown key `keys` in [[users]] accounts
  8 | accounts = [{ address = "ana@example.com", keys = "*" }]
    |                                            ^^^^
  hint: did you mean `key`?
"##,
    );
}

#[test]
fn values_of_a_wrong_type_are_explained() {
    check(
        &with_google(
            r##"
log = "json"
[sync]
sources = "gmail"
since = 90
include_spam_trash = "yes"
[users]
email = "ana@example.com"
[sinks]
search = "search.wasm"
[sinks.archive]
plugin = 1
settings = [1]
batch = { records = "100" }
grants = { dirs = ["/out"] }
"##,
        ),
        r##"
error[CFG013]: nuncio.toml:1:7: `log` must be a table, but is a string
  1 | log = "json"
    |       ^^^^^^
  hint: write a section `[log]`

error[CFG013]: nuncio.toml:3:11: `[sync] sources` must be a list, but is a string
  3 | sources = "gmail"
    |           ^^^^^^^
  hint: write `sources = [...]`

error[CFG013]: nuncio.toml:4:9: `[sync] since` must be a duration or "all", but is a whole number
  4 | since = 90
    |         ^^
  hint: write it with its unit in quotes, such as "90d"

error[CFG013]: nuncio.toml:5:22: `[sync] include_spam_trash` must be true or false, but is a string
  5 | include_spam_trash = "yes"
    |                      ^^^^^
  hint: write `include_spam_trash = true` or `include_spam_trash = false`, without quotes

error[CFG013]: nuncio.toml:6:1: `users` must be a list, but is a table
  6 | [users]
    | ^^^^^^^
  hint: write `[[users]]` with two brackets, once for each entry

error[CFG013]: nuncio.toml:9:10: `[sinks] search` must be a table, but is a string
  9 | search = "***********"
    |          ^^^^^^^^^^^^^
  hint: write a section `[sinks.NAME]` for each sink

error[CFG013]: nuncio.toml:11:10: `[sinks.archive] plugin` must be a string, but is a whole number
  11 | plugin = 1
     |          ^
  hint: write it in quotes

error[CFG013]: nuncio.toml:12:12: `[sinks.archive] settings` must be a table, but is a list
  12 | settings = [*]
     |            ^^^
  hint: write `settings = { ... }`

error[CFG013]: nuncio.toml:13:21: `[sinks.archive] batch.records` must be a whole number, but is a string
  13 | batch = { records = "100" }
     |                     ^^^^^
  hint: write a whole number, such as `records = 100`

error[CFG013]: nuncio.toml:14:20: `[sinks.archive] grants.dirs` must be a list of tables, but is a string
  14 | grants = { dirs = ["/out"] }
     |                    ^^^^^^
  hint: write `{ guest = "/out", host = "/srv/archive", mode = "rw" }`
"##,
    );
}

#[test]
fn values_that_nobody_knows_are_explained() {
    check(
        &with_google(
            r##"
[log]
format = "jsn"
[sync]
sources = ["mail"]
[sinks.search]
plugin = "search.wasm"
content = "everything"
"##,
        ),
        r##"
error[CFG014]: nuncio.toml:2:10: `[log] format` does not know "jsn"
  2 | format = "jsn"
    |          ^^^^^
  hint: did you mean "json"?

error[CFG014]: nuncio.toml:4:12: `[sync] sources` does not know "mail"
  4 | sources = ["mail"]
    |            ^^^^^^
  hint: did you mean "gmail"?

error[CFG014]: nuncio.toml:7:11: `[sinks.search] content` does not know "everything"
  7 | content = "everything"
    |           ^^^^^^^^^^^^
  hint: allowed: "metadata", "text", "html", "full", "raw"
"##,
    );
}
