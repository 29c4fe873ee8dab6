//! Makes seeds of the corpora: mails as they are, calendars (RFC 5545) as pages of events and as
//! lines of times. `seeds CORPORA TARGET OUT`, where CORPORA holds the folders `mail` and `ics`.
//! It reads calendars well enough for seeds and no better.

use serde_json::{Value, json};
use std::error::Error;
use std::path::{Path, PathBuf};

/// Larger files slow a run down and find nothing more.
const MAX_BYTES: usize = 64 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [corpora, target, out] = arguments.as_slice() else {
        return Err("seeds CORPORA TARGET OUT".into());
    };
    let (corpora, out) = (Path::new(corpora), Path::new(out));
    std::fs::create_dir_all(out)?;
    let (folder, make): (&str, fn(&[u8]) -> Vec<u8>) = match target.as_str() {
        "mail" | "parts" => ("mail", <[u8]>::to_vec),
        "events" => ("ics", page),
        "times" => ("ics", lines),
        other => return Err(format!("there are no seeds for {other}").into()),
    };
    let mut files = Vec::new();
    collect(&corpora.join(folder), &mut files)?;
    files.sort();
    let mut n_written = 0;
    for (n, file) in files.iter().enumerate() {
        let bytes = make(&std::fs::read(file)?);
        if bytes.len() <= MAX_BYTES {
            std::fs::write(out.join(format!("corpus-{n:05}")), bytes)?;
            n_written += 1;
        }
    }
    println!("{n_written} seeds of {} files", files.len());
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            collect(&path, files)?;
        } else if !name.starts_with("LICENSE") && !name.ends_with(".md") {
            files.push(path);
        }
    }
    Ok(())
}

/// Unfolded lines of the events: name, parameters, value.
fn events(bytes: &[u8]) -> Vec<Vec<(String, String, String)>> {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let text = text.replace("\n ", "").replace("\n\t", "");
    let mut events = Vec::new();
    for line in text.lines() {
        let (head, value) = line.split_once(':').unwrap_or((line, ""));
        let (name, parameters) = head.split_once(';').unwrap_or((head, ""));
        if name == "BEGIN" && value == "VEVENT" {
            events.push(Vec::new());
        }
        if let Some(event) = events.last_mut() {
            event.push((name.to_owned(), parameters.to_owned(), value.to_owned()));
        }
    }
    events
}

/// `20260301T093000Z` as Google writes it.
fn time(parameters: &str, value: &str) -> Value {
    let part = |from: usize, to: usize| value.get(from..to).unwrap_or_default();
    let date = format!("{}-{}-{}", part(0, 4), part(4, 6), part(6, 8));
    if value.len() == 8 {
        return json!({ "date": date });
    }
    let zone = parameters
        .split(';')
        .find_map(|one| one.strip_prefix("TZID="));
    let end = if value.ends_with('Z') { "Z" } else { "" };
    let clock = format!("{}:{}:{}{end}", part(9, 11), part(11, 13), part(13, 15));
    json!({ "dateTime": format!("{date}T{clock}"), "timeZone": zone })
}

fn page(bytes: &[u8]) -> Vec<u8> {
    let mut items = Vec::new();
    for (n, lines) in events(bytes).iter().enumerate() {
        let mut item = json!({ "id": format!("e{n}") });
        let mut rules = Vec::new();
        let mut guests = Vec::new();
        for (name, parameters, value) in lines {
            match name.as_str() {
                "SUMMARY" | "DESCRIPTION" | "LOCATION" | "STATUS" => {
                    item[name.to_ascii_lowercase()] = json!(value);
                }
                "UID" => item["iCalUID"] = json!(value),
                "SEQUENCE" => item["sequence"] = json!(value),
                "DTSTART" => item["start"] = time(parameters, value),
                "DTEND" => item["end"] = time(parameters, value),
                "RECURRENCE-ID" => {
                    item["recurringEventId"] = json!("e0");
                    item["originalStartTime"] = time(parameters, value);
                }
                "RRULE" | "EXRULE" | "RDATE" | "EXDATE" => {
                    let sign = if parameters.is_empty() { "" } else { ";" };
                    rules.push(format!("{name}{sign}{parameters}:{value}"));
                }
                "ORGANIZER" => item["organizer"] = json!({ "email": value }),
                "ATTENDEE" => guests.push(json!({ "email": value, "displayName": parameters })),
                "X-GOOGLE-HANGOUT" => item["hangoutLink"] = json!(value),
                _ => {}
            }
        }
        item["recurrence"] = json!(rules);
        item["attendees"] = json!(guests);
        items.push(item);
    }
    json!({ "items": items, "nextSyncToken": "s" })
        .to_string()
        .into_bytes()
}

fn lines(bytes: &[u8]) -> Vec<u8> {
    let Some(event) = events(bytes).into_iter().next() else {
        return Vec::new();
    };
    let moment = |wanted: &str| {
        let line = event.iter().find(|(name, _, _)| name == wanted);
        let time = line.map(|(_, parameters, value)| time(parameters, value));
        let time = time.unwrap_or_default();
        let text = time["date"].as_str().or(time["dateTime"].as_str());
        let zone = time["timeZone"].as_str().unwrap_or_default().to_owned();
        (text.unwrap_or_default().to_owned(), zone)
    };
    let (start, zone) = moment("DTSTART");
    let (end, _) = moment("DTEND");
    let mut text = format!("{start}\n{end}\n{zone}\n");
    for (name, parameters, value) in &event {
        if ["RRULE", "RDATE", "EXDATE", "EXRULE"].contains(&name.as_str()) {
            text.push_str(&format!("{name};{parameters}:{value}\n"));
        }
    }
    text.into_bytes()
}
