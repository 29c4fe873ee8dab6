//! files.list: corpora, search, order and pages.
//!
//! See <https://developers.google.com/workspace/drive/api/reference/rest/v3/files/list>.

use super::model::FileId;
use super::query::{self, Expression};
use super::rules::{Caller, Seen};
use super::store::Store;
use super::{asked, check_spaces, errors, flag, open, page_size, reply, view};
use crate::call::{Query, Reply};
use crate::error::ApiError;
use crate::fields::{Mask, Selection};
use crate::routes::{Context, empty_page};
use crate::wire::{from_token, to_token};
use crate::workspace::Workspace;
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Bound;

const MAX_PAGE: usize = 1000;
const DEFAULT_FIELDS: &str = "kind,incompleteSearch,nextPageToken,files(kind,id,name,mimeType)";

/// What is searched.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Corpora {
    User,
    Domain,
    Drive(FileId),
    AllDrives,
}

/// `files.list`.
pub(super) fn list(context: &Context<'_>) -> Result<Reply, ApiError> {
    let query = &context.call.query;
    let (store, caller) = open(context)?;
    check_spaces(query)?;
    let size = page_size(query, 100, MAX_PAGE)?;
    let search = search(query)?;
    let order = Order::parse(query.first("orderBy").unwrap_or_default())?;
    let by_relevance = search.terms().iter().any(|term| term.field == "fullText");
    if by_relevance && !order.0.is_empty() {
        let mut error = errors::bad_request(
            "Sorting is not supported for queries with fullText terms. Results are always in \
             descending relevance order.",
        );
        error.extra.location = Some(("parameter", "orderBy"));
        return Err(error);
    }
    let include = flag(query, "includeItemsFromAllDrives", "includeTeamDriveItems");
    let corpora = corpora(query, &store, &caller, &search, include)?;
    let mark = mark(query);
    let start = start(query, &store, &mark)?;
    let fits = |id: &FileId| {
        let seen = store.seen(&caller, id.as_str()).ok()?;
        let fits = (include || seen.file.drive.is_none())
            && search.holds(&|term| query::file_fits(context.workspace, caller.user, &seen, term));
        fits.then_some(seen)
    };
    // One more than is shown tells whether there is another page. Another order than that of the ids needs all files.
    let (after, most) = match &start {
        _ if !order.0.is_empty() => (Bound::Unbounded, usize::MAX),
        None => (Bound::Unbounded, size + 1),
        Some(start) => (Bound::Excluded(start.last.as_str()), size + 1),
    };
    let mut found = find(&store, &caller, &corpora, after, most, &fits);
    if !order.0.is_empty() {
        found.sort_by(|a, b| order.compare(&caller, a, b));
    }
    let first = first_of_page(&found, &order, start.as_ref());
    let shown: Vec<&Seen<'_>> = found.iter().skip(first).take(size).collect();
    let token = |at: usize, last: &str| {
        to_token(&json!({ "epoch": store.epoch, "mark": mark, "at": at, "last": last }))
    };
    let mut answer = json!({
        "kind": "drive#fileList",
        "incompleteSearch": corpora == Corpora::AllDrives && store.incomplete_search,
    });
    if context.empty_page {
        answer["files"] = json!([]);
        let last = start.as_ref().map_or("", |start| start.last.as_str());
        return Ok(empty_page(answer, &token(first, last)));
    }
    if let Some(last) = shown.last()
        && first + shown.len() < found.len()
    {
        answer["nextPageToken"] = json!(token(first + shown.len(), last.file.id.as_str()));
    }
    let mask = asked(context, DEFAULT_FIELDS);
    let fields = Selection::of(&mask).within("files");
    answer["files"] = shown
        .iter()
        .map(|seen| view::file(context.workspace, &caller, seen, &fields))
        .collect();
    Ok(reply(context, answer, DEFAULT_FIELDS))
}

fn search(query: &Query) -> Result<Expression, ApiError> {
    let text = query.first("q").unwrap_or_default();
    query::parse(text)
        .filter(|search| search.terms().iter().all(|term| query::is_file_term(term)))
        .ok_or_else(|| errors::invalid("q"))
}

/// Reads `corpora` and `driveId` and refuses what does not go together.
fn corpora(
    query: &Query,
    store: &Store,
    caller: &Caller,
    search: &Expression,
    include: bool,
) -> Result<Corpora, ApiError> {
    if query.first("corpora").is_some() && query.first("corpus").is_some() {
        return Err(errors::bad_request(
            "Corpus and corpora are mutually exclusive options.",
        ));
    }
    let name = query.first("corpora").or_else(|| query.first("corpus"));
    let drive = query
        .first("driveId")
        .or_else(|| query.first("teamDriveId"));
    let wants_drives = matches!(
        name,
        Some("drive" | "teamDrive" | "allDrives" | "allTeamDrives" | "user,allTeamDrives")
    );
    if (include || drive.is_some()) && !caller.all_drives {
        return Err(errors::support_required());
    }
    if (wants_drives || drive.is_some()) && !include {
        return Err(errors::include_required());
    }
    match (name, drive) {
        (Some("drive" | "teamDrive"), Some(drive)) => {
            let drive = FileId::from(drive);
            check_member(store, caller, drive.as_str())?;
            Ok(Corpora::Drive(drive))
        }
        (Some("drive" | "teamDrive"), None) | (_, Some(_)) => Err(errors::drive_id_needs_corpora()),
        (Some("allDrives" | "allTeamDrives" | "user,allTeamDrives"), None) => {
            Ok(Corpora::AllDrives)
        }
        (Some("domain"), None) => Ok(Corpora::Domain),
        (Some("user"), None) => Ok(Corpora::User),
        (None, None) => {
            // A folder of a shared drive widens the search by itself.
            let names_drive_folder = search.terms().iter().any(|term| {
                term.field == "parents"
                    && store
                        .file(&term.value)
                        .is_some_and(|folder| folder.drive.is_some())
            });
            Ok(if include && names_drive_folder {
                Corpora::AllDrives
            } else {
                Corpora::User
            })
        }
        (Some(_), None) => Err(errors::invalid("corpora")),
    }
}

/// Refuses who is not in a shared drive; with a word about it if they see something in it.
pub(super) fn check_member(store: &Store, caller: &Caller, drive: &str) -> Result<(), ApiError> {
    if store.drive(drive).is_none() {
        return Err(errors::drive_not_found(drive));
    }
    if store.member_role(caller.user, drive).is_some() {
        return Ok(());
    }
    // Who is named on something in it sees that.
    if store.named(caller.user).any(|id| {
        let file = store.file(id.as_str());
        file.is_some_and(|file| file.drive.as_ref().is_some_and(|own| own.as_str() == drive))
    }) {
        Err(errors::membership_required())
    } else {
        Err(errors::drive_not_found(drive))
    }
}

/// What is found after an id, in the order of the ids: the first `most` that fit.
fn find<'a>(
    store: &'a Store,
    caller: &Caller,
    corpora: &Corpora,
    after: Bound<&str>,
    most: usize,
    fits: &dyn Fn(&FileId) -> Option<Seen<'a>>,
) -> Vec<Seen<'a>> {
    let mut found = Vec::new();
    let range = (after, Bound::Unbounded);
    if matches!(corpora, Corpora::User | Corpora::AllDrives) {
        let corpus = store.corpus(caller.user);
        found.extend(corpus.range::<str, _>(range).filter_map(fits).take(most));
    }
    if *corpora == Corpora::Domain {
        let ids = found_by_domain(store);
        found.extend(ids.range::<str, _>(range).filter_map(fits).take(most));
    }
    for drive in searched_drives(store, caller, corpora) {
        let items = store.drive_items(caller.user, drive.as_str(), after);
        found.extend(items.filter_map(fits).take(most));
    }
    found.sort_by(|a, b| a.file.id.cmp(&b.file.id));
    found.truncate(most);
    found
}

fn searched_drives<'a>(store: &'a Store, caller: &Caller, corpora: &'a Corpora) -> Vec<&'a FileId> {
    match corpora {
        Corpora::User | Corpora::Domain => Vec::new(),
        Corpora::Drive(drive) => vec![drive],
        Corpora::AllDrives => {
            let drives = store.drives.keys();
            let mut drives: Vec<&FileId> = drives
                .filter(|drive| store.member_role(caller.user, drive.as_str()).is_some())
                .collect();
            if store.incomplete_search {
                drives.pop();
            }
            drives
        }
    }
}

/// What the domain, or anyone, can find by searching.
fn found_by_domain(store: &Store) -> BTreeSet<FileId> {
    let found = store.findable.iter();
    found.flat_map(|id| store.subtree(id)).collect()
}

/// The parameters that have to stay the same from page to page.
fn mark(query: &Query) -> String {
    [
        "q",
        "corpora",
        "driveId",
        "orderBy",
        "includeItemsFromAllDrives",
        "spaces",
    ]
    .map(|name| query.first(name).unwrap_or_default())
    .join("\n")
}

struct Start {
    at: usize,
    last: String,
}

fn start(query: &Query, store: &Store, mark: &str) -> Result<Option<Start>, ApiError> {
    let Some(text) = query.first("pageToken") else {
        return Ok(None);
    };
    let token = from_token(text).ok_or_else(|| errors::invalid("pageToken"))?;
    let fits = token["epoch"].as_u64() == Some(store.epoch) && token["mark"].as_str() == Some(mark);
    match (token["at"].as_u64(), token["last"].as_str()) {
        (Some(at), Some(last)) if fits => Ok(Some(Start {
            at: usize::try_from(at).unwrap_or(usize::MAX),
            last: last.to_owned(),
        })),
        _ => Err(errors::invalid("pageToken")),
    }
}

/// Goes on after the last file of the page before, so that files that come and go move nothing else.
fn first_of_page(found: &[Seen<'_>], order: &Order, start: Option<&Start>) -> usize {
    let Some(start) = start else { return 0 };
    if order.0.is_empty() {
        return 0;
    }
    found
        .iter()
        .position(|seen| seen.file.id.as_str() == start.last)
        .map_or(start.at, |at| at + 1)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// The keys of `orderBy`.
#[derive(Debug)]
struct Order(Vec<(&'static str, Direction)>);

impl Order {
    const KEYS: [&'static str; 11] = [
        "createdTime",
        "folder",
        "modifiedByMeTime",
        "modifiedTime",
        "name",
        "name_natural",
        "quotaBytesUsed",
        "recency",
        "sharedWithMeTime",
        "starred",
        "viewedByMeTime",
    ];

    fn parse(text: &str) -> Result<Self, ApiError> {
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| {
                let (name, direction) = match part.strip_suffix(" desc") {
                    Some(name) => (name.trim(), Direction::Down),
                    None => (part, Direction::Up),
                };
                Self::KEYS
                    .into_iter()
                    .find(|key| *key == name)
                    .map(|key| (key, direction))
                    .ok_or_else(|| errors::invalid("orderBy"))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn compare(&self, caller: &Caller, a: &Seen<'_>, b: &Seen<'_>) -> Ordering {
        self.0
            .iter()
            .map(|(key, direction)| {
                let order = by_key(key, caller, a, b);
                match direction {
                    Direction::Up => order,
                    Direction::Down => order.reverse(),
                }
            })
            .find(|order| order.is_ne())
            .unwrap_or_else(|| a.file.id.cmp(&b.file.id))
    }
}

fn by_key(key: &str, caller: &Caller, a: &Seen<'_>, b: &Seen<'_>) -> Ordering {
    let by = |value: &dyn Fn(&Seen<'_>) -> i64| value(a).cmp(&value(b));
    let me = caller.user;
    let mine = |seen: &Seen<'_>| seen.file.rare().modified_by_user.get(&me).copied();
    let viewed = |seen: &Seen<'_>| seen.file.rare().viewed.get(&me).copied();
    match key {
        "createdTime" => by(&|seen| seen.file.created),
        "modifiedTime" => by(&|seen| seen.file.modified),
        "modifiedByMeTime" => by(&|seen| mine(seen).unwrap_or_default()),
        "viewedByMeTime" => by(&|seen| viewed(seen).unwrap_or_default()),
        "recency" => by(&|seen| seen.file.modified.max(viewed(seen).unwrap_or_default())),
        "sharedWithMeTime" => by(&|seen| {
            let shared = seen.store.shared_with(me, seen.file);
            shared.map_or(0, |(at, _)| at)
        }),
        "quotaBytesUsed" => by(&|seen| {
            let size = seen.file.head().map_or(0, super::model::Revision::size);
            i64::try_from(size).unwrap_or(i64::MAX)
        }),
        // Folders and starred files come first.
        "folder" => by(&|seen| i64::from(!seen.file.is_folder())),
        "starred" => by(&|seen| i64::from(!seen.file.rare().starred.contains(&me))),
        "name_natural" => natural(&a.file.name).cmp(&natural(&b.file.name)),
        _ => a.file.name.to_lowercase().cmp(&b.file.name.to_lowercase()),
    }
}

/// A name as runs of text and numbers, so that 2 comes before 12.
fn natural(name: &str) -> Vec<(String, u64)> {
    let mut runs: Vec<(String, u64)> = Vec::new();
    let mut after_digit = true;
    for letter in name.to_lowercase().chars() {
        let digit = letter.to_digit(10);
        if runs.is_empty() || (digit.is_none() && after_digit) {
            runs.push((String::new(), 0));
        }
        if let Some((text, number)) = runs.last_mut() {
            match digit {
                Some(digit) => *number = number.saturating_mul(10).saturating_add(digit.into()),
                None => text.push(letter),
            }
        }
        after_digit = digit.is_some();
    }
    runs
}

/// The complete state that [`list`] would give, for comparing.
pub(super) fn everything(
    workspace: &Workspace,
    store: &Store,
    caller: &Caller,
    drive: Option<&str>,
) -> Vec<Value> {
    let corpora = match drive {
        None => Corpora::User,
        Some(drive) => Corpora::Drive(drive.into()),
    };
    let mask = Mask::everything();
    let seen = |id: &FileId| store.seen(caller, id.as_str()).ok();
    find(store, caller, &corpora, Bound::Unbounded, usize::MAX, &seen)
        .iter()
        .map(|seen| view::file(workspace, caller, seen, &Selection::of(&mask)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_sort_by_value() {
        let mut names = ["b 12", "b 2", "a 100", "b"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["a 100", "b", "b 2", "b 12"]);
    }
}
