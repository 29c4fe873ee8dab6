//! Objects, lists and numbers in JSON. Names of members are ours and need no escaping.

use super::escape::push_text;

/// An object that is being written. Must be closed.
pub(super) struct Object<'a> {
    out: &'a mut String,
    empty: bool,
}

impl<'a> Object<'a> {
    pub(super) fn open(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, empty: true }
    }

    pub(super) fn close(self) {
        self.out.push('}');
    }

    fn begin(&mut self, name: &'static str) -> &mut String {
        self.out.push_str(if self.empty { "\"" } else { ",\"" });
        self.empty = false;
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    /// A member whose value `write` appends.
    pub(super) fn member(&mut self, name: &'static str, write: impl FnOnce(&mut String)) {
        write(self.begin(name));
    }

    pub(super) fn optional<T: ?Sized>(
        &mut self,
        name: &'static str,
        value: Option<&T>,
        write: impl FnOnce(&mut String, &T),
    ) {
        if let Some(value) = value {
            write(self.begin(name), value);
        }
    }

    pub(super) fn text(&mut self, name: &'static str, value: &str) {
        push_text(self.begin(name), value);
    }

    pub(super) fn optional_text(&mut self, name: &'static str, value: Option<&str>) {
        self.optional(name, value, push_text);
    }

    /// One of our own names as the value.
    pub(super) fn name(&mut self, name: &'static str, value: &'static str) {
        push_name(self.begin(name), value);
    }

    pub(super) fn unsigned(&mut self, name: &'static str, value: u64) {
        push_unsigned(self.begin(name), value);
    }

    pub(super) fn signed(&mut self, name: &'static str, value: i64) {
        push_signed(self.begin(name), value);
    }

    pub(super) fn optional_signed(&mut self, name: &'static str, value: Option<i64>) {
        if let Some(value) = value {
            self.signed(name, value);
        }
    }

    pub(super) fn truth(&mut self, name: &'static str, value: bool) {
        self.begin(name)
            .push_str(if value { "true" } else { "false" });
    }

    /// `kind`, and the payload as the member of that name.
    pub(super) fn payload(&mut self, kind: &'static str, write: impl FnOnce(&mut String)) {
        self.name("kind", kind);
        self.member(kind, write);
    }
}

/// A list whose items `write` appends.
pub(super) fn list<T>(out: &mut String, items: &[T], write: impl Fn(&mut String, &T)) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

pub(super) fn texts(out: &mut String, items: &[String]) {
    list(out, items, |out, text| push_text(out, text));
}

pub(super) fn pairs(out: &mut String, items: &[(String, String)]) {
    list(out, items, |out, (name, value)| {
        out.push('[');
        push_text(out, name);
        out.push(',');
        push_text(out, value);
        out.push(']');
    });
}

pub(super) fn push_name(out: &mut String, name: &'static str) {
    out.push('"');
    out.push_str(name);
    out.push('"');
}

pub(super) fn push_unsigned(out: &mut String, mut value: u64) {
    // The longest, 2^64 - 1, has 20 digits.
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.push_str(std::str::from_utf8(&digits[start..]).expect("digits are ASCII"));
}

pub(super) fn push_signed(out: &mut String, value: i64) {
    if value < 0 {
        out.push('-');
    }
    push_unsigned(out, value.unsigned_abs());
}
