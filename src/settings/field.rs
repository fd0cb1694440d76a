//! The members of structures that receive the values of settings: text becomes a typed value, which goes into a member.

use std::any::Any;
use std::sync::Arc;

use super::syntax::{Kind, Syntax};

/// A parsed value, of the type of its [`Syntax`].
#[derive(Clone, Debug)]
pub struct Parsed(Arc<dyn Any + Send + Sync>);

impl Parsed {
    /// Wraps a value.
    pub fn new<T: Any + Send + Sync>(value: T) -> Self {
        Self(Arc::new(value))
    }

    fn get<T: Any + Clone>(&self) -> Option<T> {
        self.0.downcast_ref().cloned()
    }
}

/// How many values a setting takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// One value.
    One,
    /// A list of values, separated by commas or repeated.
    Many,
}

/// A member of a structure that receives the value of one setting.
pub trait Field<C>: Sync {
    /// The name of a value in `--help`.
    fn value_name(&self) -> &'static str;
    /// The kind of its values.
    fn kind(&self) -> Kind;
    /// How many values there may be.
    fn shape(&self) -> Shape;
    /// Parses one value.
    ///
    /// # Errors
    /// What was expected.
    fn parse(&self, text: &str) -> Result<Parsed, String>;
    /// The texts of the member's value, as a flag would take them.
    fn texts(&self, config: &C) -> Vec<String>;
    /// Sets the member. Values of another type change nothing.
    fn set(&self, config: &mut C, values: &[Parsed]);
    /// Copies the member from another structure.
    fn copy(&self, config: &mut C, from: &C);
}

/// A member that always has a value.
#[derive(Debug)]
pub struct One<C, T> {
    /// The text form of the values.
    pub syntax: Syntax<T>,
    /// Reads the member.
    pub get: fn(&C) -> T,
    /// Writes the member.
    pub set: fn(&mut C, T),
}

/// A member that has a value or none: an empty text is none.
#[derive(Debug)]
pub struct Maybe<C, T> {
    /// The text form of the values.
    pub syntax: Syntax<T>,
    /// Reads the member.
    pub get: fn(&C) -> Option<T>,
    /// Writes the member.
    pub set: fn(&mut C, Option<T>),
}

/// A member that is a list.
#[derive(Debug)]
pub struct Many<C, T> {
    /// The text form of the values.
    pub syntax: Syntax<T>,
    /// Reads the member.
    pub get: fn(&C) -> Vec<T>,
    /// Writes the member.
    pub set: fn(&mut C, Vec<T>),
}

/// What all three have in common.
macro_rules! of_form {
    ($shape:expr, $parse:expr) => {
        fn value_name(&self) -> &'static str {
            self.syntax.name
        }

        fn kind(&self) -> Kind {
            self.syntax.kind
        }

        fn shape(&self) -> Shape {
            $shape
        }

        fn parse(&self, text: &str) -> Result<Parsed, String> {
            $parse(self, text)
        }

        fn copy(&self, config: &mut C, from: &C) {
            (self.set)(config, (self.get)(from));
        }
    };
}

impl<C, T: Any + Clone + Send + Sync> Field<C> for One<C, T> {
    of_form!(Shape::One, |field: &Self, text: &str| (field.syntax.parse)(text).map(Parsed::new));

    fn texts(&self, config: &C) -> Vec<String> {
        vec![(self.syntax.text)(&(self.get)(config))]
    }

    fn set(&self, config: &mut C, values: &[Parsed]) {
        if let Some(value) = values.first().and_then(Parsed::get) {
            (self.set)(config, value);
        }
    }
}

impl<C, T: Any + Clone + Send + Sync> Field<C> for Maybe<C, T> {
    of_form!(Shape::One, |field: &Self, text: &str| match text {
        // As the reference takes `--http ""`: it is the same as not to give the flag.
        "" => Ok(Parsed::new(())),
        text => (field.syntax.parse)(text).map(Parsed::new),
    });

    fn texts(&self, config: &C) -> Vec<String> {
        (self.get)(config).iter().map(|value| (self.syntax.text)(value)).collect()
    }

    fn set(&self, config: &mut C, values: &[Parsed]) {
        (self.set)(config, values.first().and_then(Parsed::get));
    }
}

impl<C, T: Any + Clone + Send + Sync> Field<C> for Many<C, T> {
    of_form!(Shape::Many, |field: &Self, text: &str| (field.syntax.parse)(text).map(Parsed::new));

    fn texts(&self, config: &C) -> Vec<String> {
        (self.get)(config).iter().map(|value| (self.syntax.text)(value)).collect()
    }

    fn set(&self, config: &mut C, values: &[Parsed]) {
        (self.set)(config, values.iter().filter_map(Parsed::get).collect());
    }
}

/// A member that always has a value: `one!(ReflectorConfig: settings.send_hold, TIME)`.
#[macro_export]
#[doc(hidden)]
macro_rules! one {
    ($config:ty: $($member:ident).+, $syntax:expr) => {
        $crate::member!(One, $config: $($member).+, $syntax)
    };
}

/// A member that has a value or none: `maybe!(ReflectorConfig: http, LOCAL_ADDRESS)`.
#[macro_export]
#[doc(hidden)]
macro_rules! maybe {
    ($config:ty: $($member:ident).+, $syntax:expr) => {
        $crate::member!(Maybe, $config: $($member).+, $syntax)
    };
}

/// A member that is a list: `many!(ReflectorConfig: servers, SERVER)`.
#[macro_export]
#[doc(hidden)]
macro_rules! many {
    ($config:ty: $($member:ident).+, $syntax:expr) => {
        $crate::member!(Many, $config: $($member).+, $syntax)
    };
}

/// What `one!`, `maybe!` and `many!` come to.
#[macro_export]
#[doc(hidden)]
macro_rules! member {
    ($field:ident, $config:ty: $($member:ident).+, $syntax:expr) => {
        &$crate::settings::$field {
            syntax: $syntax,
            get: |config: &$config| Clone::clone(&config.$($member).+),
            set: |config: &mut $config, value| config.$($member).+ = value,
        }
    };
}
