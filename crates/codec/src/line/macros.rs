//! The lists in which members and kinds of a line get their names. Each takes the type apart in full, so that
//! a field which the domain adds does not compile until a later level has a place for it.

/// `object! { Type { field, field } }`: an object whose members have the names of the fields.
macro_rules! object {
    ($($type:ty { $($field:ident),+ $(,)? })+) => {$(
        impl $crate::line::values::Json for $type {
            fn render(&self, writer: &mut $crate::line::Writer) {
                let Self { $($field),+ } = self;
                writer.open();
                $(writer.member(stringify!($field), $field);)+
                writer.close();
            }

            fn parse(reader: &mut $crate::line::Reader<'_>) -> Result<Self, $crate::line::ParseError> {
                reader.open()?;
                $(let $field = reader.member(stringify!($field))?;)+
                reader.close()?;
                Ok(Self { $($field),+ })
            }

            fn touch(&self, topics: &mut std::collections::BTreeSet<$crate::touches::Topic>) {
                let Self { $($field),+ } = self;
                $($field.touch(topics);)+
            }

            #[cfg(test)]
            fn longest() -> Self {
                Self { $($field: $crate::line::values::Json::longest()),+ }
            }
        }
    )+};
}

/// `words! { Type { Variant = "word" } }`: a string.
macro_rules! words {
    ($($type:ty { $($variant:ident = $word:literal),+ $(,)? })+) => {$(
        impl $crate::line::values::Json for $type {
            fn render(&self, writer: &mut $crate::line::Writer) {
                writer.string(match self {
                    $(Self::$variant => $word,)+
                });
            }

            fn parse(reader: &mut $crate::line::Reader<'_>) -> Result<Self, $crate::line::ParseError> {
                reader.text("word", |text| match text {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                })
            }

            #[cfg(test)]
            fn longest() -> Self {
                $crate::line::values::longest_of([$(Self::$variant),+])
            }

            #[cfg(test)]
            fn longest_list() -> Vec<Self> {
                vec![$(Self::$variant),+]
            }
        }
    )+};
}

/// `tagged! { Type { Variant = "kind", Variant { field } = "kind", Variant(member) = "kind" } }`: an object
/// whose first member is the kind.
macro_rules! tagged {
    (@parse $reader:ident $variant:ident) => { Self::$variant };
    (@parse $reader:ident $variant:ident { $($field:ident),+ }) => {{
        $(let $field = $reader.member(stringify!($field))?;)+
        Self::$variant { $($field),+ }
    }};
    (@parse $reader:ident $variant:ident ( $content:ident )) => {
        Self::$variant($reader.member(stringify!($content))?)
    };
    (@longest $variant:ident) => { Self::$variant };
    (@longest $variant:ident { $($field:ident),+ }) => {
        Self::$variant { $($field: $crate::line::values::Json::longest()),+ }
    };
    (@longest $variant:ident ( $content:ident )) => {
        Self::$variant($crate::line::values::Json::longest())
    };
    ($($type:ty {
        $($variant:ident $({ $($field:ident),+ })? $(( $content:ident ))? = $kind:literal),+ $(,)?
    })+) => {$(
        impl $crate::line::values::Json for $type {
            fn render(&self, writer: &mut $crate::line::Writer) {
                writer.open();
                match self {
                    $(Self::$variant $({ $($field),+ })? $(( $content ))? => {
                        writer.word("kind", $kind);
                        $($(writer.member(stringify!($field), $field);)+)?
                        $(writer.member(stringify!($content), $content);)?
                    })+
                }
                writer.close();
            }

            fn parse(reader: &mut $crate::line::Reader<'_>) -> Result<Self, $crate::line::ParseError> {
                reader.open()?;
                reader.name("kind")?;
                let kind = reader.string()?;
                let value = match &*kind {
                    $($kind => tagged!(@parse reader $variant $({ $($field),+ })? $(( $content ))?),)+
                    _ => return Err(reader.problem($crate::line::LineProblem::Invalid("kind"))),
                };
                reader.close()?;
                Ok(value)
            }

            fn touch(&self, topics: &mut std::collections::BTreeSet<$crate::touches::Topic>) {
                let _ = &topics;
                match self {
                    $(Self::$variant $({ $($field),+ })? $(( $content ))? => {
                        $($($field.touch(topics);)+)?
                        $($content.touch(topics);)?
                    })+
                }
            }

            #[cfg(test)]
            fn longest() -> Self {
                $crate::line::values::longest_of([
                    $(tagged!(@longest $variant $({ $($field),+ })? $(( $content ))?)),+
                ])
            }
        }
    )+};
}

/// `facts! { Type { Variant { field, field } = "Name", Outcome; } }`: the kinds of event of one aggregate.
macro_rules! facts {
    ($($type:ty { $($variant:ident { $($field:ident),+ $(,)? } = $name:literal, $outcome:ident;)+ })+) => {
        /// Every name that an event can have in a line.
        pub const NAMES: &[&str] = &[$($($name),+),+];

        $(
            impl $crate::line::events::Facts for $type {
                fn facts(&self) -> (&'static str, $crate::line::Outcome) {
                    match self {
                        $(Self::$variant { .. } => ($name, $crate::line::Outcome::$outcome),)+
                    }
                }

                fn render(&self, writer: &mut $crate::line::Writer) {
                    writer.open();
                    match self {
                        $(Self::$variant { $($field),+ } => {
                            $(writer.member(stringify!($field), $field);)+
                        })+
                    }
                    writer.close();
                }

                fn parse(
                    name: &str,
                    reader: &mut $crate::line::Reader<'_>,
                ) -> Result<Option<Self>, $crate::line::ParseError> {
                    match name {
                        $($name => {
                            reader.open()?;
                            $(let $field = reader.member(stringify!($field))?;)+
                            reader.close()?;
                            Ok(Some(Self::$variant { $($field),+ }))
                        })+
                        _ => Ok(None),
                    }
                }

                fn touch(&self, topics: &mut std::collections::BTreeSet<$crate::touches::Topic>) {
                    match self {
                        $(Self::$variant { $($field),+ } => {
                            $($crate::line::values::Json::touch($field, topics);)+
                        })+
                    }
                }

                #[cfg(test)]
                fn longest() -> Vec<Self> {
                    vec![$(Self::$variant { $($field: $crate::line::values::Json::longest()),+ }),+]
                }
            }

            #[cfg(test)]
            impl $crate::samples::Variants for $type {
                const NAMES: &'static [&'static str] = &[$($name),+];

                fn variant(name: &str, draw: &mut $crate::samples::Draw) -> Option<Self> {
                    match name {
                        $($name => Some(Self::$variant { $($field: draw.named(stringify!($field))),+ }),)+
                        _ => None,
                    }
                }
            }
        )+
    };
}

pub(super) use {facts, object, tagged, words};
