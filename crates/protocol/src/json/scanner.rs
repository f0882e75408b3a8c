//! The pull scanner: the caller asks for what it wants next, the scanner checks that it is there.
//!
//! Time is linear and the stack flat: [`Scanner::skip`] keeps its open brackets as bits of one integer, and
//! [`Scanner::object`] and [`Scanner::array`] recurse only as deep as their caller nests its closures.

use std::ops::Range;

use super::kind::{ARRAY, Container, OBJECT};
use super::stops::Stops;
use super::string::{Spelling, is_short_escape, plain_prefix};
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
    /// What is left of `text`. A shrinking slice, because a position would be held against the text's length at
    /// every byte.
    rest: &'a [u8],
    depth: usize,
}

impl<'a> Scanner<'a> {
    /// Starts at the front of `bytes`. Text that is not UTF-8 is a fault at the place where it is reached.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let (text, whole) = match simdutf8::basic::from_utf8(bytes) {
            Ok(text) => (text, true),
            Err(_) => (bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid()), false),
        };
        Self { text, whole, rest: text.as_bytes(), depth: 0 }
    }

    /// The offset of the next byte.
    #[must_use]
    #[inline]
    pub fn position(&self) -> usize {
        self.text.len().wrapping_sub(self.rest.len())
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
        self.name_quote()?;
        loop {
            let name = self.name()?;
            self.visit(|scanner| f(scanner, name))?;
            if self.close_or_name_quote()? {
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
        let kind = self.kind()?;
        let start = self.position();
        self.pass(kind)?;
        Ok(start..self.position())
    }

    /// Passes over the value of that kind that is next.
    #[inline]
    fn pass(&mut self, kind: Kind) -> Result<(), JsonError> {
        match kind {
            Kind::Object => self.pass_container(&OBJECT),
            Kind::Array => self.pass_container(&ARRAY),
            _ => self.pass_scalar(kind),
        }
    }

    fn pass_container(&mut self, outermost: &'static Container) -> Result<(), JsonError> {
        if self.open(outermost)? {
            return Ok(());
        }
        let outside = self.depth - 1;
        // One bit for each container opened here, the innermost lowest: 1 is an object.
        let mut objects = u128::from(outermost.named);
        loop {
            if objects & 1 == 1 {
                self.name_quote()?;
                self.name()?;
            }
            let kind = self.kind()?;
            let container = match kind {
                Kind::Object => Some(&OBJECT),
                Kind::Array => Some(&ARRAY),
                _ => None,
            };
            match container {
                None => self.pass_scalar(kind)?,
                Some(container) => {
                    if !self.open(container)? {
                        objects = objects << 1 | u128::from(container.named);
                        continue;
                    }
                }
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

    /// Passes over a value that holds no others, and is next.
    fn pass_scalar(&mut self, kind: Kind) -> Result<(), JsonError> {
        match kind {
            Kind::String => {
                self.advance(1);
                self.pass_string().map(|_| ())
            }
            Kind::Number => self.pass_number(),
            Kind::Bool => self.boolean().map(|_| ()),
            _ => self.null(),
        }
    }

    /// Reads a string.
    ///
    /// # Errors
    /// No valid string comes next.
    #[inline]
    pub fn string(&mut self) -> Result<RawStr<'a>, JsonError> {
        if !self.took(b'"') {
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
        let start = self.position();
        self.pass_number()?;
        Ok(self.text(start..self.position()))
    }

    /// Reads a number if it is a run of digits that surely fits, as nearly every count is; any other is left
    /// for [`number`](Self::number).
    #[inline]
    pub(crate) fn digit_run(&mut self) -> Option<u64> {
        const FIT: usize = 18;
        let (mut rest, mut value) = (self.rest, 0_u64);
        while let [digit @ b'0'..=b'9', after @ ..] = rest {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit & 0x0f));
            rest = after;
        }
        let count = self.rest.len() - rest.len();
        let leads_with_zero = count > 1 && self.rest.first() == Some(&b'0');
        let goes_on = matches!(rest.first(), None | Some(b'.' | b'e' | b'E'));
        if count == 0 || count > FIT || leads_with_zero || goes_on {
            return None;
        }
        self.rest = rest;
        Some(value)
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
        let kind = self.kind()?;
        let untouched = self.rest.len();
        f(self)?;
        if self.rest.len() == untouched {
            self.pass(kind)?;
        }
        Ok(())
    }

    /// Reads a member's name, whose opening quote was taken, and its colon. Inlined by force: half of what is read
    /// are names, and the result is too large for registers.
    #[inline(always)]
    fn name(&mut self) -> Result<RawStr<'a>, JsonError> {
        let (start, length) = (self.position(), plain_prefix(self.rest));
        // Quote and colon at once, as they stand in what machines write.
        if let Some([b'"', b':', after @ ..]) = self.rest.get(length..) {
            self.rest = after;
            return Ok(RawStr::new(self.text(start..start.wrapping_add(length)), start, Spelling::Plain));
        }
        self.unusual_name()
    }

    #[cold]
    #[inline(never)]
    fn unusual_name(&mut self) -> Result<RawStr<'a>, JsonError> {
        let name = self.quoted()?;
        if self.took(b':') { Ok(name) } else { Err(self.unexpected("`:`")) }
    }

    /// Reads the quote that opens a member's name.
    #[inline]
    fn name_quote(&mut self) -> Result<(), JsonError> {
        if self.took(b'"') { Ok(()) } else { Err(self.unexpected("a name in quotes")) }
    }

    /// Reads what stands behind a member: true for the closing bracket, false for a comma and the quote that opens
    /// the next name.
    #[inline(always)]
    fn close_or_name_quote(&mut self) -> Result<bool, JsonError> {
        // Both at once, as they stand in what machines write.
        if let [b',', b'"', after @ ..] = self.rest {
            self.rest = after;
            return Ok(false);
        }
        if self.close(&OBJECT)? {
            return Ok(true);
        }
        self.name_quote()?;
        Ok(false)
    }

    /// Reads the string whose opening quote was taken.
    #[inline(always)]
    fn quoted(&mut self) -> Result<RawStr<'a>, JsonError> {
        let start = self.position();
        let spelling = self.pass_string()?;
        Ok(RawStr::new(self.text(start..self.position() - 1), start, spelling))
    }

    /// Passes over the string whose opening quote was taken.
    #[inline(always)]
    fn pass_string(&mut self) -> Result<Spelling, JsonError> {
        let rest = self.rest.get(plain_prefix(self.rest)..).unwrap_or_default();
        if let [b'"', after @ ..] = rest {
            self.rest = after;
            return Ok(Spelling::Plain);
        }
        self.rest = rest;
        self.pass_escaped()
    }

    /// Passes over the rest of a string, from its first escape on.
    #[inline(never)]
    fn pass_escaped(&mut self) -> Result<Spelling, JsonError> {
        let mut spelling = Spelling::Escaped;
        let text = self.rest;
        let (mut stops, mut at) = (Stops::of(text), 0_usize);
        while let Some([stop, behind @ ..]) = text.get(at..) {
            let escape = match (stop, behind) {
                (b'"', _) => {
                    self.rest = behind;
                    return Ok(spelling);
                }
                (b'\\', [letter, ..]) if is_short_escape(*letter) => 2,
                (b'\\', [b'u', a, b, c, d, ..])
                    if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) =>
                {
                    spelling = Spelling::Units;
                    6
                }
                _ => break,
            };
            at = stops.next(at.wrapping_add(escape));
        }
        self.rest = text.get(at..).unwrap_or_default();
        Err(self.bad_string())
    }

    /// The fault of what stands in a string and can be neither passed over nor its end.
    #[cold]
    fn bad_string(&self) -> JsonError {
        match self.rest {
            [] | [b'\\'] => self.end(),
            [b'\\', b'u', digits @ ..] if digits.len() < 4 => self.end(),
            [b'\\', ..] => self.fault(JsonFault::BadEscape),
            _ => self.fault(JsonFault::ControlCharacter),
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

    /// Reads an opening bracket; true if the container is empty, and so closed again.
    #[inline]
    fn open(&mut self, container: &'static Container) -> Result<bool, JsonError> {
        if self.next_token() != Some(container.opening) {
            return Err(self.unexpected(container.what));
        }
        if self.depth == MAX_DEPTH {
            return Err(self.fault(JsonFault::TooDeep));
        }
        self.advance(1);
        if self.took(container.closing) {
            return Ok(true);
        }
        self.depth += 1;
        Ok(false)
    }

    /// Reads what stands behind an item: true for the closing bracket, false for a comma.
    #[inline]
    fn close(&mut self, container: &'static Container) -> Result<bool, JsonError> {
        if self.took(b',') {
            return Ok(false);
        }
        if self.took(container.closing) {
            self.depth -= 1;
            return Ok(true);
        }
        Err(self.unexpected(container.next))
    }

    #[inline]
    fn literal(&mut self, word: &str, expected: &'static str) -> Result<(), JsonError> {
        if !self.rest.starts_with(word.as_bytes()) {
            return Err(self.unexpected(expected));
        }
        self.advance(word.len());
        Ok(())
    }

    /// Passes over one byte if it is wanted.
    #[inline]
    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> bool {
        let taken = self.peek().is_some_and(wanted);
        self.advance(usize::from(taken));
        taken
    }

    /// Passes over one digit or more.
    #[inline]
    fn digits(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'0'..=b'9') => {}
            Some(_) => return Err(self.fault(JsonFault::BadNumber)),
            None => return Err(self.end()),
        }
        self.advance(self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count());
        Ok(())
    }

    /// Passes over white space, and over the byte that follows if it is `wanted`.
    #[inline]
    fn took(&mut self, wanted: u8) -> bool {
        // What machines write has no white space: one comparison finds that out.
        match self.rest {
            [byte, after @ ..] if *byte == wanted => self.rest = after,
            [byte, ..] if *byte > b' ' => return false,
            _ => return self.took_after_space(wanted),
        }
        true
    }

    #[inline(never)]
    fn took_after_space(&mut self, wanted: u8) -> bool {
        let found = self.next_token() == Some(wanted);
        self.advance(usize::from(found));
        found
    }

    /// Passes over white space and looks at what follows.
    #[inline]
    fn next_token(&mut self) -> Option<u8> {
        match self.peek() {
            Some(byte) if byte > b' ' => Some(byte),
            _ => self.next_token_after_space(),
        }
    }

    #[cold]
    #[inline(never)]
    fn next_token_after_space(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.advance(1),
                other => return other,
            }
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    #[inline]
    fn advance(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// The fault of finding something else than `expected`.
    #[cold]
    fn unexpected(&self, expected: &'static str) -> JsonError {
        if self.rest.is_empty() {
            return self.end();
        }
        let marked = self.position() == 0 && self.text.starts_with('\u{feff}');
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
        JsonError { offset: self.position(), what }
    }
}
