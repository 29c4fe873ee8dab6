//! The header fields of a raw mail as bytes: look at, add, replace and take away, without touching the body.

use std::borrow::Cow;

/// A raw mail taken apart into its header fields and the rest.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    /// Each with its folded lines and its line break.
    fields: Vec<Cow<'a, [u8]>>,
    /// The blank line and all after it.
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn parse(raw: &'a [u8]) -> Self {
        let mut fields: Vec<Cow<'a, [u8]>> = Vec::new();
        let mut start = 0;
        let mut at = 0;
        while let Some(line) = line_at(raw, at) {
            let is_blank = line.trim_ascii().is_empty();
            let is_folded = line.first().is_some_and(|first| b" \t".contains(first));
            if at > start && (is_blank || !is_folded) {
                fields.push(Cow::Borrowed(&raw[start..at]));
                start = at;
            }
            if is_blank {
                break;
            }
            at += line.len();
        }
        if at > start {
            fields.push(Cow::Borrowed(&raw[start..at]));
        }
        Self {
            fields,
            rest: &raw[at..],
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| is_named(field, name))
    }

    /// The first value of that name, folded as it is.
    pub(super) fn value(&self, name: &str) -> Option<&[u8]> {
        let field = self.fields.iter().find(|field| is_named(field, name))?;
        let colon = field.iter().position(|byte| *byte == b':')?;
        Some(field[colon + 1..].trim_ascii())
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.fields.retain(|field| !is_named(field, name));
    }

    /// Puts the value where the first field of that name was, or at the end of the header.
    pub(super) fn set(&mut self, name: &str, value: &[u8]) {
        let place = self.fields.iter().position(|field| is_named(field, name));
        self.remove(name);
        let place = place.unwrap_or(self.fields.len()).min(self.fields.len());
        self.fields.insert(place, field(name, value));
    }

    /// Puts a field in front of all others.
    pub(super) fn prepend(&mut self, name: &str, value: &str) {
        self.fields.insert(0, field(name, value.as_bytes()));
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut raw = Vec::with_capacity(self.rest.len() + 4096);
        for field in &self.fields {
            raw.extend_from_slice(field);
            // The last field of a mail without a body may lack its line break.
            if !field.ends_with(b"\n") {
                raw.extend_from_slice(b"\r\n");
            }
        }
        if self.rest.is_empty() {
            raw.extend_from_slice(b"\r\n");
        }
        raw.extend_from_slice(self.rest);
        raw
    }
}

fn field<'a>(name: &str, value: &[u8]) -> Cow<'a, [u8]> {
    let mut field = format!("{name}: ").into_bytes();
    field.extend_from_slice(value);
    field.extend_from_slice(b"\r\n");
    Cow::Owned(field)
}

fn is_named(field: &[u8], name: &str) -> bool {
    let end = field.iter().position(|byte| *byte == b':');
    end.is_some_and(|end| {
        field[..end]
            .trim_ascii()
            .eq_ignore_ascii_case(name.as_bytes())
    })
}

/// The line that begins at `at`, with its line break; none at the end.
fn line_at(raw: &[u8], at: usize) -> Option<&[u8]> {
    let rest = raw.get(at..).filter(|rest| !rest.is_empty())?;
    let length = rest
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(rest.len(), |end| end + 1);
    Some(&rest[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_replaced_and_removed_with_their_folds() {
        let raw = b"From: a\r\nBcc: b,\r\n c\r\nSubject: s\r\n\r\nBcc: not a header\r\n";
        let mut fields = Fields::parse(raw);
        assert_eq!(fields.to_bytes(), raw);
        assert_eq!(fields.value("bcc"), Some(&b"b,\r\n c"[..]));
        fields.remove("BCC");
        fields.set("from", b"x");
        fields.set("Date", b"now");
        fields.prepend("Delivered-To", "y");
        assert_eq!(
            fields.to_bytes(),
            b"Delivered-To: y\r\nfrom: x\r\nSubject: s\r\nDate: now\r\n\r\nBcc: not a header\r\n"
        );
    }

    #[test]
    fn garbage_keeps_its_bytes() {
        for raw in [
            &b"\n"[..],
            b"\r\nbody",
            b"x: y\n",
            b"no colon\n\nbody",
            b" fold\n\n",
        ] {
            let fields = Fields::parse(raw);
            assert!(!fields.has("from"));
            assert!(fields.to_bytes().starts_with(raw));
        }
        assert_eq!(Fields::parse(b"").to_bytes(), b"\r\n");
        assert_eq!(Fields::parse(b"a: b").to_bytes(), b"a: b\r\n\r\n");
    }
}
