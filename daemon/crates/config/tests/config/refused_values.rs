//! How errors read that concern values: bounds, forms, secrets, users, sinks and their grants.

use crate::{alone, check, with_google};

#[test]
fn bounds_are_named() {
    check(
        &with_google(
            r##"
[sync]
poll_interval = "200ms"
since = "0s"
sources = []
[spool]
max_bytes = "1MiB"
[[users]]
email = "ana@example.com"
accounts = []
[sinks.search]
plugin = "search.wasm"
batch = { records = 0, bytes = "1B", delay = "2m" }
limits = { memory = "8GiB", call_time = "1ms", in_flight = 65 }
retry = { max_attempts = -1, max_delay = "48h" }
"##,
        ),
        r##"
error[CFG015]: nuncio.toml:2:17: `[sync] poll_interval` is out of bounds
  2 | poll_interval = "200ms"
    |                 ^^^^^^^
  hint: use "1s" to "1d"

error[CFG015]: nuncio.toml:3:9: `[sync] since` is out of bounds
  3 | since = "0s"
    |         ^^^^
  hint: use more than nothing and at most "36500d", or "all"

error[CFG015]: nuncio.toml:4:11: `[sync] sources` is empty
  4 | sources = []
    |           ^^
  hint: name at least one, or remove `sources` for the default

error[CFG015]: nuncio.toml:6:13: `[spool] max_bytes` is out of bounds
  6 | max_bytes = "1MiB"
    |             ^^^^^^
  hint: use "16MiB" to "1PiB"

error[CFG015]: nuncio.toml:9:12: `[[users]] accounts` is empty
  9 | accounts = []
    |            ^^
  hint: remove the key to sync the mailbox of `email`, or write `sync = false`

error[CFG015]: nuncio.toml:12:21: `[sinks.search] batch.records` is out of bounds
  12 | batch = { records = 0, bytes = "1B", delay = "2m" }
     |                     ^
  hint: use 1 to 1000

error[CFG015]: nuncio.toml:12:32: `[sinks.search] batch.bytes` is out of bounds
  12 | batch = { records = 0, bytes = "1B", delay = "2m" }
     |                                ^^^^
  hint: use "1KiB" to "64MiB"

error[CFG015]: nuncio.toml:12:46: `[sinks.search] batch.delay` is out of bounds
  12 | batch = { records = 0, bytes = "1B", delay = "2m" }
     |                                              ^^^^
  hint: use "0ms" to "1m"

error[CFG015]: nuncio.toml:13:21: `[sinks.search] limits.memory` is out of bounds
  13 | limits = { memory = "8GiB", call_time = "1ms", in_flight = 65 }
     |                     ^^^^^^
  hint: use "1MiB" to "4GiB"

error[CFG015]: nuncio.toml:13:41: `[sinks.search] limits.call_time` is out of bounds
  13 | limits = { memory = "8GiB", call_time = "1ms", in_flight = 65 }
     |                                         ^^^^^
  hint: use "100ms" to "1h"

error[CFG015]: nuncio.toml:13:60: `[sinks.search] limits.in_flight` is out of bounds
  13 | limits = { memory = "8GiB", call_time = "1ms", in_flight = 65 }
     |                                                            ^^
  hint: use 1 to 64

error[CFG015]: nuncio.toml:14:26: `[sinks.search] retry.max_attempts` is out of bounds
  14 | retry = { max_attempts = -1, max_delay = "48h" }
     |                          ^^
  hint: use 1 to 1000

error[CFG015]: nuncio.toml:14:42: `[sinks.search] retry.max_delay` is out of bounds
  14 | retry = { max_attempts = -1, max_delay = "48h" }
     |                                          ^^^^^
  hint: use "1s" to "1d"
"##,
    );
}

#[test]
fn malformed_values_are_explained() {
    check(
        &alone(
            r##"
[google]
service_account_key = "file:key.json"
admin = "root"
domains = ["example.com", "@example.com", "localhost"]
endpoint = "http://example.com"
[plugins]
dir = "plugins"
[spool]
max_bytes = "10"
[[users]]
email = "ana"
aliases = ["ana @old.example"]
[sinks.search]
plugin = "search.wasm"
limits = { log = "200/day" }
"##,
        ),
        r##"
error[CFG016]: nuncio.toml:2:23: the path in `[google] service_account_key` is not a plain absolute path
  2 | service_account_key = "file:key.json"
    |                       ^^^^^^^^^^^^^^^
  hint: write "file:/absolute/path", without `.` and `..`

error[CFG016]: nuncio.toml:3:9: `[google] admin`: "root" is not a mail address
  3 | admin = "root"
    |         ^^^^^^
  hint: write it as local@domain, such as "ana@example.com"

error[CFG016]: nuncio.toml:4:27: `[google] domains`: "@example.com" is not a domain
  4 | domains = ["example.com", "@example.com", "localhost"]
    |                           ^^^^^^^^^^^^^^
  hint: write it as "example.com"

error[CFG016]: nuncio.toml:4:43: `[google] domains`: "localhost" is not a domain
  4 | domains = ["example.com", "@example.com", "localhost"]
    |                                           ^^^^^^^^^^^
  hint: write it as "example.com"

error[CFG021]: nuncio.toml:5:12: `[google] endpoint` must use https://; plain http:// is for loopback hosts only
  5 | endpoint = "******************"
    |            ^^^^^^^^^^^^^^^^^^^^
  hint: write "https://HOST[:PORT]", or "http://127.0.0.1:PORT" for a fake Workspace on this machine

error[CFG016]: nuncio.toml:7:7: `[plugins] dir`: "plugins" is not a plain absolute path
  7 | dir = "plugins"
    |       ^^^^^^^^^
  hint: start with `/`, without `.` and `..`

error[CFG016]: nuncio.toml:9:13: `[spool] max_bytes`: "10" is not a size
  9 | max_bytes = "10"
    |             ^^^^
  hint: write a number and a unit, such as "512KiB", "64MiB", "10GiB"

error[CFG016]: nuncio.toml:11:9: `[[users]] email`: "ana" is not a mail address
  11 | email = "ana"
     |         ^^^^^
  hint: write it as local@domain, such as "ana@example.com"

error[CFG016]: nuncio.toml:12:12: `[[users]] aliases`: "ana @old.example" is not a mail address
  12 | aliases = ["ana @old.example"]
     |            ^^^^^^^^^^^^^^^^^^
  hint: write it as local@domain, such as "ana@example.com"

error[CFG016]: nuncio.toml:15:18: `[sinks.search] limits.log`: "200/day" is not a rate
  15 | limits = { log = "200/day" }
     |                  ^^^^^^^^^
  hint: write a count and a period, such as "200/min"; periods: s, min, h
"##,
    );
}

#[test]
fn quota_off_needs_an_endpoint() {
    check(
        &alone(
            r##"
[google]
service_account_key = "credential:key"
quota = "off"
"##,
        ),
        r##"
error[CFG017]: nuncio.toml:3:9: `[google] quota`: "off" is allowed only with `endpoint`
  3 | quota = "off"
    |         ^^^^^
  hint: remove it: against Google itself there is always a budget
"##,
    );
}

#[test]
fn quota_numbers_out_of_bounds_and_of_no_budget() {
    check(
        &alone(
            r##"
[google]
service_account_key = "file:/etc/nuncio/key.json"
quota_share = 1.5
quota_override = { gmail_user_minute = 0, gmail_hour = 5 }
"##,
        ),
        r##"
error[CFG015]: nuncio.toml:3:15: `[google] quota_share` must be a number above 0 and at most 1
  3 | quota_share = 1.5
    |               ^^^
  hint: write the part of the project's budget that this instance may use, such as 0.5

error[CFG015]: nuncio.toml:4:40: `[google] quota_override.gmail_user_minute` is out of bounds
  4 | quota_override = { gmail_user_minute = 0, gmail_hour = * }
    |                                        ^
  hint: use 1 to 4000000000

error[CFG010]: nuncio.toml:4:43: unknown key `gmail_hour` in [google] quota_override
  4 | quota_override = { gmail_user_minute = 0, gmail_hour = * }
    |                                           ^^^^^^^^^^
  hint: did you mean `gmail_user_minute`?
"##,
    );
}

#[test]
fn an_inline_secret_is_refused_unseen() {
    check(
        &alone(
            r##"
[google]
service_account_key = "{ \"type\": \"service_account\", \"private_key\": \"hunter2\" }"
admin = "x"
"##,
        ),
        r##"
error[CFG020]: nuncio.toml:2:23: `[google] service_account_key` says neither file: nor credential:; secrets are never inline
  2 | service_account_key = "{ *"*****"* *"****************", *"************"* *"********" }"
    |                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  hint: write "file:/absolute/path" or "credential:NAME"; if a secret stood here, consider it disclosed and replace it

error[CFG016]: nuncio.toml:3:9: `[google] admin`: "x" is not a mail address
  3 | admin = "x"
    |         ^^^
  hint: write it as local@domain, such as "ana@example.com"
"##,
    );
}

#[test]
fn an_address_of_two_users_names_both_places() {
    check(
        &with_google(
            r##"
[[users]]
email = "ana@example.com"
aliases = ["team@example.com"]

[[users]]
email = "bob@example.com"
aliases = ["Team@example.com", "ana@example.com"]

[[users]]
email = "team@example.com"
"##,
        ),
        r##"
error[CFG030]: nuncio.toml:7:12: `team@example.com` is an alias of `ana@example.com` at nuncio.toml:3:12, and cannot be one of `bob@example.com`
  7 | aliases = ["Team@example.com", "ana@example.com"]
    |            ^^^^^^^^^^^^^^^^^^
  hint: an address belongs to one user: keep it at one of the two places

error[CFG030]: nuncio.toml:7:32: `ana@example.com` is the email of a user at nuncio.toml:2:9, and cannot be one of `bob@example.com`
  7 | aliases = ["Team@example.com", "ana@example.com"]
    |                                ^^^^^^^^^^^^^^^^^
  hint: an address belongs to one user: keep it at one of the two places

error[CFG030]: nuncio.toml:10:9: `team@example.com` is an alias of `ana@example.com` at nuncio.toml:3:12, and cannot be a user of its own
  10 | email = "team@example.com"
     |         ^^^^^^^^^^^^^^^^^^
  hint: an address belongs to one user: keep it at one of the two places
"##,
    );
}

#[test]
fn a_user_twice_names_both_places() {
    check(
        &with_google(
            r##"
[[users]]
email = "ana@example.com"
[[users]]
email = "ANA@example.com"
"##,
        ),
        r##"
error[CFG031]: nuncio.toml:4:9: the user `ana@example.com` is already listed at nuncio.toml:2:9
  4 | email = "ANA@example.com"
    |         ^^^^^^^^^^^^^^^^^
  hint: join the two entries into one
"##,
    );
}

#[test]
fn repeated_addresses_of_one_user_are_refused() {
    check(
        &with_google(
            r##"
[[users]]
email = "ana@example.com"
aliases = ["ana@example.com", "a@old.example", "A@old.example"]
accounts = ["a@old.example", "a@old.example"]
"##,
        ),
        r##"
error[CFG033]: nuncio.toml:3:12: `ana@example.com` is the user's own email, and needs no alias
  3 | aliases = ["ana@example.com", "a@old.example", "A@old.example"]
    |            ^^^^^^^^^^^^^^^^^
  hint: remove it from `aliases`

error[CFG033]: nuncio.toml:3:48: the alias `a@old.example` is listed twice
  3 | aliases = ["ana@example.com", "a@old.example", "A@old.example"]
    |                                                ^^^^^^^^^^^^^^^
  hint: remove one of the two

error[CFG033]: nuncio.toml:4:30: the account `a@old.example` is listed twice
  4 | accounts = ["a@old.example", "a@old.example"]
    |                              ^^^^^^^^^^^^^^^
  hint: remove one of the two
"##,
    );
}

#[test]
fn an_account_must_be_an_address_of_its_user() {
    check(
        &with_google(
            r##"
[[users]]
email = "ana@example.com"
aliases = ["ana.souza@example.com"]
accounts = ["ana.suoza@example.com", { address = "zoe@elsewhere.example", key = "7" }, 3]
"##,
        ),
        r##"
error[CFG032]: nuncio.toml:4:13: the account `ana.suoza@example.com` is neither the email nor an alias of `ana@example.com`
  4 | accounts = ["ana.suoza@example.com", { address = "zoe@elsewhere.example", key = "7" }, 3]
    |             ^^^^^^^^^^^^^^^^^^^^^^^
  hint: did you mean `ana.souza@example.com`? Else add the address to `aliases`

error[CFG032]: nuncio.toml:4:50: the account `zoe@elsewhere.example` is neither the email nor an alias of `ana@example.com`
  4 | accounts = ["ana.suoza@example.com", { address = "zoe@elsewhere.example", key = "7" }, 3]
    |                                                  ^^^^^^^^^^^^^^^^^^^^^^^
  hint: add the address to `aliases`, or correct it

error[CFG013]: nuncio.toml:4:88: `[[users]] accounts` must be a list of addresses or tables, but is a whole number
  4 | …ple.com", { address = "zoe@elsewhere.example", key = "7" }, 3]
    |                                                              ^
  hint: write an address, or `{ address = "...", key = "..." }`
"##,
    );
}

#[test]
fn an_account_key_belongs_to_one_account() {
    check(
        &with_google(
            r##"
[[users]]
email = "ana@example.com"
accounts = [{ address = "ana@example.com", key = "117" }]
[[users]]
email = "bob@example.com"
accounts = [{ address = "bob@example.com", key = "117" }]
[[users]]
email = "eve@example.com"
accounts = [{ address = "eve@example.com", key = "" }]
"##,
        ),
        r##"
error[CFG034]: nuncio.toml:6:50: the account key `117` is already used at nuncio.toml:3:50
  6 | accounts = [{ address = "bob@example.com", key = "117" }]
    |                                                  ^^^^^
  hint: give every account its own key: it names the account in record keys

error[CFG016]: nuncio.toml:9:50: `[[users]] accounts.key`: "" is not an account key
  9 | accounts = [{ address = "eve@example.com", key = "" }]
    |                                                  ^^
  hint: copy it from `nuncio status`: 1 to 254 bytes without white space
"##,
    );
}

#[test]
fn sink_names_are_plain() {
    check(
        &with_google(
            r##"
[sinks."../etc"]
plugin = "a.wasm"
[sinks.Search]
plugin = "a.wasm"
[sinks.""]
plugin = "a.wasm"
"##,
        ),
        r##"
error[CFG040]: nuncio.toml:1:8: the sink's name `../etc` is not allowed
  1 | [sinks."../etc"]
    |        ^^^^^^^^
  hint: use 1 to 64 of the characters a-z, 0-9, - and _

error[CFG040]: nuncio.toml:3:8: the sink's name `Search` is not allowed
  3 | [sinks.Search]
    |        ^^^^^^
  hint: use 1 to 64 of the characters a-z, 0-9, - and _

error[CFG040]: nuncio.toml:5:8: the sink's name `` is not allowed
  5 | [sinks.""]
    |        ^^
  hint: use 1 to 64 of the characters a-z, 0-9, - and _
"##,
    );
}

#[test]
fn plugins_are_file_names_or_absolute_paths() {
    check(
        &with_google(
            r##"
[sinks.a]
plugin = "search"
[sinks.b]
plugin = "../search.wasm"
[sinks.c]
plugin = "./search.wasm"
"##,
        ),
        r##"
error[CFG041]: nuncio.toml:2:10: `[sinks.a] plugin`: "search" does not end in .wasm
  2 | plugin = "search"
    |          ^^^^^^^^
  hint: write "NAME.wasm" for a file in [plugins] dir, or an absolute path to a .wasm file

error[CFG041]: nuncio.toml:4:10: `[sinks.b] plugin`: "../search.wasm" is neither a file name nor a plain absolute path
  4 | plugin = "../search.wasm"
    |          ^^^^^^^^^^^^^^^^
  hint: write "NAME.wasm" for a file in [plugins] dir, or an absolute path to a .wasm file

error[CFG041]: nuncio.toml:6:10: `[sinks.c] plugin`: "./search.wasm" is neither a file name nor a plain absolute path
  6 | plugin = "./search.wasm"
    |          ^^^^^^^^^^^^^^^
  hint: write "NAME.wasm" for a file in [plugins] dir, or an absolute path to a .wasm file
"##,
    );
}

#[test]
fn granted_directories_are_judged() {
    check(
        &alone(
            r##"
[google]
service_account_key = "file:/etc/nuncio/key.json"
[sinks.a]
plugin = "a.wasm"
[sinks.a.grants]
dirs = [
  { guest = "/out", host = "/srv/a", mode = "rw" },
  { guest = "/out", host = "/srv/b", mode = "rw" },
  { guest = "out/", host = "srv", mode = "w" },
  { guest = "/k", host = "/etc", mode = "ro" },
  { guest = "/p", host = "/usr/lib/nuncio/plugins/data", mode = "ro" },
  { guest = "/m", host = "/srv/m" },
]
"##,
        ),
        r##"
error[CFG042]: nuncio.toml:8:13: `[sinks.a] grants.dirs.guest`: "/out" is already granted at nuncio.toml:7:13
  8 |   { guest = "/out", host = "/srv/b", mode = "rw" },
    |             ^^^^^^
  hint: use another path, or remove one of the two

error[CFG042]: nuncio.toml:9:13: `[sinks.a] grants.dirs.guest`: "out/" is not a plain absolute path
  9 |   { guest = "out/", host = "srv", mode = "w" },
    |             ^^^^^^
  hint: start with `/`, without `.`, `..`, `//` and a trailing slash, such as "/out"

error[CFG016]: nuncio.toml:9:28: `[sinks.a] grants.dirs.host`: "srv" is not a plain absolute path
  9 |   { guest = "out/", host = "srv", mode = "w" },
    |                            ^^^^^
  hint: start with `/`, without `.` and `..`

error[CFG014]: nuncio.toml:9:42: `[sinks.a] grants.dirs.mode` does not know "w"
  9 |   { guest = "out/", host = "srv", mode = "w" },
    |                                          ^^^
  hint: allowed: "ro", "rw"

error[CFG042]: nuncio.toml:10:26: `[sinks.a] grants.dirs.host`: "/etc" holds the service account's key, and cannot be granted
  10 |   { guest = "/k", host = "/etc", mode = "ro" },
     |                          ^^^^^^
  hint: grant a directory that holds only the sink's data

error[CFG042]: nuncio.toml:11:26: `[sinks.a] grants.dirs.host`: "/usr/lib/nuncio/plugins/data" overlaps [plugins] dir, and cannot be granted
  11 |   { guest = "/p", host = "/usr/lib/nuncio/plugins/data", mode = "ro" },
     |                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  hint: grant a directory that holds only the sink's data

error[CFG012]: nuncio.toml:12:3: `[sinks.a] grants.dirs.mode` is missing
  12 |   { guest = "/m", host = "/srv/m" },
     |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  hint: add `mode = "ro"` to read or `mode = "rw"` to write too
"##,
    );
}

#[test]
fn settings_that_json_cannot_hold_are_refused_unseen() {
    check(
        &with_google(
            r##"
[sinks.a]
plugin = "a.wasm"
settings = { token = "hunter2", ratio = nan, big = 99999999999999999999 }
"##,
        ),
        r##"
error[CFG015]: nuncio.toml:3:41: `[sinks.a] settings.ratio` is no number that JSON can hold
  3 | settings = { token = "*******", ratio = ***, big = ******************** }
    |                                         ^^^
  hint: use another number, or a string

error[CFG015]: nuncio.toml:3:52: `[sinks.a] settings.big` does not fit into 64 bits
  3 | settings = { token = "*******", ratio = ***, big = ******************** }
    |                                                    ^^^^^^^^^^^^^^^^^^^^
  hint: use another number, or a string
"##,
    );
}
