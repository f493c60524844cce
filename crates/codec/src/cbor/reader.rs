//! Reading heads and contents, and refusing every form but the shortest.

use minicbor::{
    data::Type,
    decode::{Decoder, Error},
};

use super::{DecodeError, Problem, Wire};

/// Bytes being read. Nothing is allocated here.
pub struct Reader<'b>(Decoder<'b>);

/// How far a record has been read.
#[derive(Debug)]
pub struct Fields {
    left: u64,
    next: Option<u64>,
}

impl<'b> Reader<'b> {
    /// Begins at the first of `bytes`.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self(Decoder::new(bytes))
    }

    /// Says that a problem is here.
    pub fn problem(&self, problem: Problem) -> DecodeError {
        DecodeError { at: self.0.position(), problem }
    }

    /// Ends: nothing may follow.
    ///
    /// # Errors
    /// [`Problem::Trailing`] if something does.
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.0.position() == self.0.input().len() { Ok(()) } else { Err(self.problem(Problem::Trailing)) }
    }

    /// Reads an item whose head carries a number, and checks that the head is the shortest. `content` is how
    /// many bytes of it follow the head.
    fn shortest<T>(
        &mut self,
        expected: &'static str,
        read: impl FnOnce(&mut Decoder<'b>) -> Result<T, Error>,
        number: impl FnOnce(&T) -> u64,
        content: impl FnOnce(&T) -> usize,
    ) -> Result<T, DecodeError> {
        let start = self.0.position();
        let Ok(value) = read(&mut self.0) else {
            return Err(DecodeError { at: start, problem: Problem::Expected(expected) });
        };
        let head = match number(&value) {
            0..=23 => 1,
            24..=0xff => 2,
            0x100..=0xffff => 3,
            0x1_0000..=0xffff_ffff => 5,
            _ => 9,
        };
        let read = self.0.position() - start;
        if read == head + content(&value) {
            Ok(value)
        } else {
            Err(DecodeError { at: start, problem: Problem::NotShortest })
        }
    }

    /// An unsigned integer.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else.
    pub fn uint(&mut self) -> Result<u64, DecodeError> {
        self.shortest("an unsigned integer", Decoder::u64, |value| *value, |_| 0)
    }

    /// A truth value.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        self.shortest("a truth value", Decoder::bool, |_| 0, |_| 0)
    }

    /// A byte string, still in the input.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else.
    pub fn bytes(&mut self) -> Result<&'b [u8], DecodeError> {
        self.shortest("a byte string", Decoder::bytes, |bytes| bytes.len() as u64, |bytes| bytes.len())
    }

    /// A text, still in the input.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else.
    pub fn text(&mut self) -> Result<&'b str, DecodeError> {
        self.shortest("a text", Decoder::str, |text| text.len() as u64, |text| text.len())
    }

    /// Whether nothing stands here; if so, passes it.
    ///
    /// # Errors
    /// [`DecodeError`] at the end of the bytes.
    pub fn null(&mut self) -> Result<bool, DecodeError> {
        match self.0.datatype() {
            Ok(Type::Null) => self.shortest("nothing", Decoder::null, |()| 0, |()| 0).map(|()| true),
            Ok(_) => Ok(false),
            Err(_) => Err(self.problem(Problem::Expected("a value or nothing"))),
        }
    }

    /// The head of an array: how many items follow. Whoever collects them must not believe it before they
    /// have come.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else.
    pub fn array(&mut self) -> Result<u64, DecodeError> {
        let head = |decoder: &mut Decoder<'b>| decoder.array()?.ok_or_else(|| Error::message("indefinite"));
        self.shortest("an array of definite length", head, |len| *len, |_| 0)
    }

    /// The head of a map: how many entries follow. Whoever collects them must not believe it before they have
    /// come.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else.
    pub fn map(&mut self) -> Result<u64, DecodeError> {
        let head = |decoder: &mut Decoder<'b>| decoder.map()?.ok_or_else(|| Error::message("indefinite"));
        self.shortest("a map of definite length", head, |len| *len, |_| 0)
    }

    /// Begins a record.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else.
    pub fn fields(&mut self) -> Result<Fields, DecodeError> {
        Ok(Fields { left: self.map()?, next: None })
    }

    /// The next field of a record. Fields are asked for in ascending order.
    ///
    /// # Errors
    /// [`Problem::MissingField`] if it is not there and must be, and whatever its value is refused for.
    pub fn field<T: Wire>(&mut self, fields: &mut Fields, number: u64) -> Result<T, DecodeError> {
        if fields.next.is_none() && fields.left > 0 {
            fields.left -= 1;
            fields.next = Some(self.uint()?);
        }
        if fields.next == Some(number) {
            fields.next = None;
            return T::take_present(self);
        }
        T::absent().ok_or_else(|| self.problem(Problem::MissingField(number)))
    }

    /// Ends a record: no field may follow.
    ///
    /// # Errors
    /// [`Problem::UnknownField`] if one does.
    pub fn end(&mut self, fields: &Fields) -> Result<(), DecodeError> {
        let next = match fields.next {
            Some(number) => number,
            None if fields.left > 0 => self.uint()?,
            None => return Ok(()),
        };
        Err(self.problem(Problem::UnknownField(next)))
    }

    /// The head of a choice: the variant's number, and whether content follows.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else.
    pub fn variant(&mut self) -> Result<(u64, bool), DecodeError> {
        if !matches!(self.0.datatype(), Ok(Type::Map)) {
            return Ok((self.uint()?, false));
        }
        if self.map()? != 1 {
            return Err(self.problem(Problem::Expected("one variant")));
        }
        Ok((self.uint()?, true))
    }
}
