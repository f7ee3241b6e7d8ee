//! Identity as a pure function of names: a replay, a retry or another machine makes the same id.
//!
//! Ids are the 64-bit XXH3 hash of the name, so rows are keyed by integers (strings cost three
//! times as much in the dataflow) without any table of numbers to keep in step.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! name_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The id of a name: its XXH3 hash.
            #[inline]
            pub fn of(name: &str) -> Self {
                Self(xxhash_rust::xxh3::xxh3_64(name.as_bytes()))
            }
        }

        impl From<$name> for NameId {
            #[inline]
            fn from(id: $name) -> Self {
                Self(id.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:016x})"), self.0)
            }
        }
    )+};
}

/// Any interned name, whatever it names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NameId(pub u64);

impl NameId {
    /// The id of a name: its XXH3 hash.
    #[inline]
    pub fn of(name: &str) -> Self {
        Self(xxhash_rust::xxh3::xxh3_64(name.as_bytes()))
    }
}

impl fmt::Debug for NameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NameId({:016x})", self.0)
    }
}

name_id! {
    /// A fixture, by its canonical name `League|YYYY-MM-DD|Home|Away`.
    FixtureId,
    /// A competition, by its name (`E0`).
    LeagueId,
    /// A team, by its canonical name.
    TeamId,
    /// A bookmaker, an exchange or a reference price such as a market average.
    BookId,
    /// A source of the topology, by the name it has there.
    SourceId,
    /// The region a scout pushes from; the default id (0) means the primary itself.
    RegionId,
}

/// Identity of one fact or one emitted message: 128 bits, printed as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EventId(pub u128);

impl EventId {
    /// The id of a message with exactly these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(xxhash_rust::xxh3::xxh3_128(bytes))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for EventId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}
