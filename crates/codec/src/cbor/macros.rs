//! The two lists in which fields and variants get their numbers. Each takes the type apart in full, so that a
//! field which the domain adds does not compile until it has a number.

/// Whether numbers ascend, checked when a list compiles.
pub(super) const fn ascending(numbers: &[u64]) -> bool {
    let mut rest = numbers;
    while let [first, tail @ ..] = rest {
        if let [second, ..] = tail
            && *first >= *second
        {
            return false;
        }
        rest = tail;
    }
    true
}

/// The fields between the braces of a record, or of a variant.
macro_rules! fields {
    (@put $writer:ident $($number:literal $field:ident),+) => {{
        $writer.map(0 $(+ usize::from(!$crate::cbor::Wire::is_absent($field)))+);
        $($writer.field($number, $field);)+
    }};
    (@take $reader:ident $fields:ident [$($name:tt)+] $($number:literal $field:ident),+) => {{
        const _: () = assert!($crate::cbor::macros::ascending(&[$($number),+]), "field numbers ascend");
        let mut $fields = $reader.fields()?;
        $(let $field = $reader.field(&mut $fields, $number)?;)+
        $reader.end(&$fields)?;
        Ok($($name)+ { $($field),+ })
    }};
}

/// `record! { Type { 0 field, 1 field } }`: a map from field numbers to values.
macro_rules! record {
    ($($type:ty { $($number:literal $field:ident),+ $(,)? })+) => {$(
        impl $crate::cbor::Wire for $type {
            fn put(&self, writer: &mut $crate::cbor::Writer) {
                let Self { $($field),+ } = self;
                fields!(@put writer $($number $field),+);
            }

            fn take(reader: &mut $crate::cbor::Reader<'_>) -> Result<Self, $crate::cbor::DecodeError> {
                fields!(@take reader fields [Self] $($number $field),+)
            }
        }

        #[cfg(test)]
        impl $crate::samples::Sample for $type {
            fn sample(draw: &mut $crate::samples::Draw) -> Self {
                Self { $($field: draw.named(stringify!($field))),+ }
            }
        }
    )+};
}

/// `choice! { Type { 0 Variant, 1 Variant { 0 field, 1 field }, 2 Variant(content) } }`: a variant's number,
/// with its content if it has one. `; first 3` at its end says how many there were before others came later.
macro_rules! choice {
    (@put $writer:ident $number:literal) => {
        $writer.uint($number)
    };
    (@put $writer:ident $number:literal { $($key:literal $field:ident),+ }) => {{
        $writer.variant($number);
        fields!(@put $writer $($key $field),+)
    }};
    (@put $writer:ident $number:literal ( $content:ident )) => {{
        $writer.variant($number);
        $crate::cbor::Wire::put($content, $writer)
    }};
    (@head $number:literal) => { ($number, false) };
    (@head $number:literal $content:tt) => { ($number, true) };
    (@take $reader:ident $variant:ident) => {
        Ok(Self::$variant)
    };
    (@take $reader:ident $variant:ident { $($key:literal $field:ident),+ }) => {
        fields!(@take $reader fields [Self::$variant] $($key $field),+)
    };
    (@take $reader:ident $variant:ident ( $content:ident )) => {
        $crate::cbor::Wire::take($reader).map(Self::$variant)
    };
    (@sample $draw:ident $variant:ident) => {
        Self::$variant
    };
    (@sample $draw:ident $variant:ident { $($key:literal $field:ident),+ }) => {
        Self::$variant { $($field: $draw.named(stringify!($field))),+ }
    };
    (@sample $draw:ident $variant:ident ( $content:ident )) => {
        Self::$variant($draw.named(stringify!($content)))
    };
    ($($type:ty {
        $($number:literal $variant:ident $({ $($key:literal $field:ident),+ $(,)? })? $(( $content:ident ))?),+ $(,)?
        $(; first $drawn:literal)?
    })+) => {$(
        const _: () = assert!($crate::cbor::macros::ascending(&[$($number),+]), "variant numbers ascend");

        impl $crate::cbor::Wire for $type {
            fn put(&self, writer: &mut $crate::cbor::Writer) {
                match self {
                    $(Self::$variant $({ $($field),+ })? $(( $content ))? => {
                        choice!(@put writer $number $({ $($key $field),+ })? $(( $content ))?);
                    })+
                }
            }

            fn take(reader: &mut $crate::cbor::Reader<'_>) -> Result<Self, $crate::cbor::DecodeError> {
                match reader.variant()? {
                    $(choice!(@head $number $({ $($field)+ })? $(( $content ))?) => {
                        choice!(@take reader $variant $({ $($key $field),+ })? $(( $content ))?)
                    })+
                    (number, _) => Err(reader.problem($crate::cbor::Problem::UnknownVariant(number))),
                }
            }
        }

        #[cfg(test)]
        impl $crate::samples::Variants for $type {
            const NAMES: &'static [&'static str] = &[$(stringify!($variant)),+];
            $(const DRAWN: usize = $drawn;)?

            fn variant(name: &str, draw: &mut $crate::samples::Draw) -> Option<Self> {
                let _ = &draw;
                match name {
                    $(stringify!($variant) => Some(choice!(@sample draw $variant $({ $($key $field),+ })? $(( $content ))?)),)+
                    _ => None,
                }
            }
        }

        #[cfg(test)]
        impl $crate::samples::Sample for $type {
            fn sample(draw: &mut $crate::samples::Draw) -> Self {
                draw.any_variant()
            }
        }
    )+};
}

pub(super) use {choice, fields, record};
