//! The pull scanner: the caller asks for what it wants next, the scanner checks that it is there.
//!
//! Time is linear and the stack flat: [`Scanner::skip`] keeps its open brackets as bits of one integer, and
//! [`Scanner::object`] and [`Scanner::array`] recurse only as deep as their caller nests its closures.

use std::ops::Range;

use super::kind::{ARRAY, Container, OBJECT};
use super::string::plain_prefix;
use super::{JsonError, JsonFault, Kind, RawStr};

/// How many objects and arrays may stand inside one another.
pub const MAX_DEPTH: usize = 128;

/// Reads one JSON document from front to back.
///
/// Every method skips white space first. After an error the scanner's position means nothing; drop it.
#[derive(Debug, Clone)]
pub struct Scanner<'a> {
    /// The document, or as much of it as is UTF-8.
    text: &'a str,
    /// Whether `text` is the whole document.
    whole: bool,
    pos: usize,
    depth: usize,
}

impl<'a> Scanner<'a> {
    /// Starts at the front of `bytes`. Text that is not UTF-8 is a fault at the place where it is reached.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { text, whole: true, pos: 0, depth: 0 },
            Err(_) => {
                let text = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
                Self { text, whole: false, pos: 0, depth: 0 }
            }
        }
    }

    /// The offset of the next byte.
    #[must_use]
    #[inline]
    pub fn position(&self) -> usize {
        self.pos
    }

    /// The text of a range that this scanner has handed out.
    #[must_use]
    #[inline]
    pub fn text(&self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }

    /// Says what comes next, and moves to its first byte.
    ///
    /// # Errors
    /// Nothing that could be a value comes next.
    #[inline]
    pub fn kind(&mut self) -> Result<Kind, JsonError> {
        match self.next_token() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            _ => Err(self.unexpected("a value")),
        }
    }

    /// Reads an object: calls `f` at each member's value with the member's name. A value that `f` leaves
    /// untouched is skipped.
    ///
    /// # Errors
    /// No valid object comes next, or `f` failed.
    #[inline]
    pub fn object<E: From<JsonError>>(
        &mut self,
        mut f: impl FnMut(&mut Self, RawStr<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.open(&OBJECT)? {
            return Ok(());
        }
        loop {
            let name = self.name()?;
            self.visit(|scanner| f(scanner, name))?;
            if self.close(&OBJECT)? {
                return Ok(());
            }
        }
    }

    /// Reads an array: calls `f` at each item with its index. An item that `f` leaves untouched is skipped.
    ///
    /// # Errors
    /// No valid array comes next, or `f` failed.
    #[inline]
    pub fn array<E: From<JsonError>>(
        &mut self,
        mut f: impl FnMut(&mut Self, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.open(&ARRAY)? {
            return Ok(());
        }
        for index in 0.. {
            self.visit(|scanner| f(scanner, index))?;
            if self.close(&ARRAY)? {
                break;
            }
        }
        Ok(())
    }

    /// Passes over one value of any kind, checks it to its end, and returns the bytes that it takes.
    ///
    /// # Errors
    /// The value is not valid.
    #[inline]
    pub fn skip(&mut self) -> Result<Range<usize>, JsonError> {
        self.next_token();
        let start = self.pos;
        if let Some(container) = self.scalar_or_open()? {
            self.skip_rest(container)?;
        }
        Ok(start..self.pos)
    }

    /// Passes over what is left of the container that was just opened.
    fn skip_rest(&mut self, outermost: &'static Container) -> Result<(), JsonError> {
        let outside = self.depth - 1;
        // One bit for each container opened here, the innermost lowest: 1 is an object.
        let mut objects = u128::from(outermost.named);
        loop {
            if objects & 1 == 1 {
                self.pass_name()?;
            }
            if let Some(container) = self.scalar_or_open()? {
                objects = objects << 1 | u128::from(container.named);
                continue;
            }
            // A value has ended, and with it every container that closes here.
            while self.close(if objects & 1 == 1 { &OBJECT } else { &ARRAY })? {
                objects >>= 1;
                if self.depth == outside {
                    return Ok(());
                }
            }
        }
    }

    /// Reads a string.
    ///
    /// # Errors
    /// No valid string comes next.
    #[inline]
    pub fn string(&mut self) -> Result<RawStr<'a>, JsonError> {
        if self.next_token() != Some(b'"') {
            return Err(self.unexpected("a string"));
        }
        self.quoted()
    }

    /// Reads a number and returns it as written; [`Number`](super::Number) says what it is worth.
    ///
    /// # Errors
    /// No valid number comes next.
    #[inline]
    pub fn number(&mut self) -> Result<&'a str, JsonError> {
        if !matches!(self.next_token(), Some(b'-' | b'0'..=b'9')) {
            return Err(self.unexpected("a number"));
        }
        let start = self.pos;
        self.pass_number()?;
        Ok(self.text(start..self.pos))
    }

    /// Reads `true` or `false`.
    ///
    /// # Errors
    /// Neither comes next.
    #[inline]
    pub fn boolean(&mut self) -> Result<bool, JsonError> {
        let value = self.next_token() == Some(b't');
        self.literal(if value { "true" } else { "false" }, "`true` or `false`")?;
        Ok(value)
    }

    /// Reads `null`.
    ///
    /// # Errors
    /// It does not come next.
    #[inline]
    pub fn null(&mut self) -> Result<(), JsonError> {
        self.next_token();
        self.literal("null", "`null`")
    }

    /// Ends the reading: only white space may be left.
    ///
    /// # Errors
    /// Something is left.
    pub fn finish(mut self) -> Result<(), JsonError> {
        match self.next_token() {
            None if self.whole => Ok(()),
            None => Err(self.end()),
            Some(_) => Err(self.unexpected("the end")),
        }
    }

    /// Lets `f` read a value, or skips the value if `f` did not.
    #[inline]
    fn visit<E: From<JsonError>>(&mut self, f: impl FnOnce(&mut Self) -> Result<(), E>) -> Result<(), E> {
        self.kind()?;
        let start = self.pos;
        f(self)?;
        if self.pos == start {
            self.skip()?;
        }
        Ok(())
    }

    /// Reads a member's name and its colon.
    #[inline]
    fn name(&mut self) -> Result<RawStr<'a>, JsonError> {
        if self.next_token() != Some(b'"') {
            return Err(self.unexpected("a name in quotes"));
        }
        let name = self.quoted()?;
        self.colon()?;
        Ok(name)
    }

    /// Passes over a member's name and its colon.
    fn pass_name(&mut self) -> Result<(), JsonError> {
        if self.next_token() != Some(b'"') {
            return Err(self.unexpected("a name in quotes"));
        }
        self.pass_string()?;
        self.colon()
    }

    #[inline]
    fn colon(&mut self) -> Result<(), JsonError> {
        if self.next_token() != Some(b':') {
            return Err(self.unexpected("`:`"));
        }
        self.pos += 1;
        Ok(())
    }

    /// Reads the string whose opening quote is at the position.
    #[inline]
    fn quoted(&mut self) -> Result<RawStr<'a>, JsonError> {
        let start = self.pos;
        let escaped = self.pass_string()?;
        Ok(RawStr::new(self.text(start + 1..self.pos - 1), start, escaped))
    }

    /// Passes over the string whose opening quote is at the position; true if it has escapes.
    #[inline]
    fn pass_string(&mut self) -> Result<bool, JsonError> {
        self.pos += 1;
        let rest = self.rest();
        let plain = plain_prefix(rest);
        self.pos += plain;
        if rest.get(plain) == Some(&b'"') {
            self.pos += 1;
            return Ok(false);
        }
        self.pass_escaped()?;
        Ok(true)
    }

    /// Passes over the rest of a string, from its first escape on.
    #[inline(never)]
    fn pass_escaped(&mut self) -> Result<(), JsonError> {
        loop {
            match self.rest() {
                [b'"', ..] => {
                    self.pos += 1;
                    return Ok(());
                }
                [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => self.pos += 2,
                [b'\\', b'u', digits @ ..] => match digits.get(..4) {
                    Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => self.pos += 6,
                    Some(_) => return Err(self.fault(JsonFault::BadEscape)),
                    None => return Err(self.end()),
                },
                [b'\\', _, ..] => return Err(self.fault(JsonFault::BadEscape)),
                [] | [b'\\'] => return Err(self.end()),
                _ => return Err(self.fault(JsonFault::ControlCharacter)),
            }
            self.pos += plain_prefix(self.rest());
        }
    }

    /// Passes over the number whose sign or first digit is at the position.
    fn pass_number(&mut self) -> Result<(), JsonError> {
        self.take(|byte| byte == b'-');
        if !self.take(|byte| byte == b'0') {
            self.digits()?;
        } else if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.fault(JsonFault::BadNumber));
        }
        if self.take(|byte| byte == b'.') {
            self.digits()?;
        }
        if self.take(|byte| matches!(byte, b'e' | b'E')) {
            self.take(|byte| matches!(byte, b'+' | b'-'));
            self.digits()?;
        }
        Ok(())
    }

    /// Passes over a scalar or an empty container; any other container is opened and returned.
    fn scalar_or_open(&mut self) -> Result<Option<&'static Container>, JsonError> {
        let container = match self.kind()? {
            Kind::Object => &OBJECT,
            Kind::Array => &ARRAY,
            Kind::String => return self.pass_string().map(|_| None),
            Kind::Number => return self.pass_number().map(|()| None),
            Kind::Bool => return self.boolean().map(|_| None),
            Kind::Null => return self.null().map(|()| None),
        };
        let is_empty = self.open(container)?;
        Ok((!is_empty).then_some(container))
    }

    /// Reads an opening bracket; true if the container is empty, and so closed again.
    #[inline]
    fn open(&mut self, container: &'static Container) -> Result<bool, JsonError> {
        if self.next_token() != Some(container.opening) {
            return Err(self.unexpected(container.what));
        }
        if self.depth == MAX_DEPTH {
            return Err(self.fault(JsonFault::TooDeep));
        }
        self.pos += 1;
        if self.next_token() == Some(container.closing) {
            self.pos += 1;
            return Ok(true);
        }
        self.depth += 1;
        Ok(false)
    }

    /// Reads what stands behind an item: true for the closing bracket, false for a comma.
    #[inline]
    fn close(&mut self, container: &'static Container) -> Result<bool, JsonError> {
        let closed = match self.next_token() {
            Some(b',') => false,
            Some(byte) if byte == container.closing => true,
            _ => return Err(self.unexpected(container.next)),
        };
        self.pos += 1;
        self.depth -= usize::from(closed);
        Ok(closed)
    }

    #[inline]
    fn literal(&mut self, word: &str, expected: &'static str) -> Result<(), JsonError> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(self.unexpected(expected));
        }
        self.pos += word.len();
        Ok(())
    }

    /// Passes over one byte if it is wanted.
    #[inline]
    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> bool {
        let taken = self.peek().is_some_and(wanted);
        self.pos += usize::from(taken);
        taken
    }

    /// Passes over one digit or more.
    #[inline]
    fn digits(&mut self) -> Result<(), JsonError> {
        let rest = self.rest();
        let count = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        self.pos += count;
        match (count, self.peek()) {
            (0, None) => Err(self.end()),
            (0, Some(_)) => Err(self.fault(JsonFault::BadNumber)),
            _ => Ok(()),
        }
    }

    /// Passes over white space and looks at what follows.
    #[inline]
    fn next_token(&mut self) -> Option<u8> {
        match self.peek() {
            // What machines write has no white space: one comparison finds that out.
            Some(byte) if byte > b' ' => Some(byte),
            _ => self.next_token_after_space(),
        }
    }

    fn next_token_after_space(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.pos += 1,
                other => return other,
            }
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.pos..).unwrap_or_default()
    }

    /// The fault of finding something else than `expected`.
    #[cold]
    fn unexpected(&self, expected: &'static str) -> JsonError {
        if self.pos == self.text.len() {
            return self.end();
        }
        let marked = self.pos == 0 && self.text.starts_with('\u{feff}');
        self.fault(if marked { JsonFault::ByteOrderMark } else { JsonFault::Expected(expected) })
    }

    /// The fault of running out of text.
    #[cold]
    fn end(&self) -> JsonError {
        let what = if self.whole { JsonFault::UnexpectedEnd } else { JsonFault::NotUtf8 };
        JsonError { offset: self.text.len(), what }
    }

    #[cold]
    fn fault(&self, what: JsonFault) -> JsonError {
        JsonError { offset: self.pos, what }
    }
}
