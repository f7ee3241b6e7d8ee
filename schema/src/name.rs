//! The table from ids back to names. Names enter once, at the door, and are looked up only where
//! something is shown or published.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::{Error, NameId, Result};

/// Longest name accepted from any feed, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// Every name seen so far, by id. Registering is idempotent, so any number of sources may do it.
///
/// ```
/// use schema::{BookId, Names};
/// # use tideline_schema as schema;
/// let mut names = Names::default();
/// let book = BookId(names.register("B365")?.0);
/// assert_eq!(names.get(book), "B365");
/// # Ok::<(), schema::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Names {
    table: FxHashMap<NameId, Arc<str>>,
    fresh: Vec<(NameId, Arc<str>)>,
}

impl Names {
    /// Registers a name and gives its id.
    ///
    /// # Errors
    /// [`Error::Name`] for an empty, overlong or control-laden name; [`Error::NameCollision`] when
    /// another name has the same hash.
    pub fn register(&mut self, name: &str) -> Result<NameId> {
        let id = NameId::of(name);
        if let Some(known) = self.table.get(&id) {
            if **known == *name {
                return Ok(id);
            }
            return Err(Error::NameCollision(known.to_string(), name.to_owned()));
        }
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(Error::Name(name.chars().take(40).collect()));
        }
        let name: Arc<str> = name.into();
        self.table.insert(id, Arc::clone(&name));
        self.fresh.push((id, name));
        Ok(id)
    }

    /// The name of an id, or `?` when it was never registered.
    pub fn get(&self, id: impl Into<NameId>) -> &str {
        self.table.get(&id.into()).map_or("?", |name| name)
    }

    /// The shared name of an id, when it was registered.
    pub fn shared(&self, id: impl Into<NameId>) -> Option<Arc<str>> {
        self.table.get(&id.into()).cloned()
    }

    /// Whether the id has a name.
    pub fn contains(&self, id: impl Into<NameId>) -> bool {
        self.table.contains_key(&id.into())
    }

    /// Takes the names registered since the last call, in the order they came: what the journal
    /// has to write beside a tick so that it can be read on its own.
    pub fn take_fresh(&mut self) -> Vec<(NameId, Arc<str>)> {
        std::mem::take(&mut self.fresh)
    }

    /// All names in order of id.
    pub fn sorted(&self) -> Vec<(NameId, Arc<str>)> {
        let mut all: Vec<_> = self.table.iter().map(|(id, name)| (*id, Arc::clone(name))).collect();
        all.sort_unstable();
        all
    }
}

/// The canonical name of a fixture: `League|YYYY-MM-DD|Home|Away`, the date being the one the
/// competition's calendar gives (local to the competition), so that a moved kick-off time keeps it.
///
/// ```
/// # use tideline_schema as schema;
/// assert_eq!(schema::fixture_name("E0", "2022-08-05", "Crystal Palace", "Arsenal"),
///            "E0|2022-08-05|Crystal Palace|Arsenal");
/// ```
pub fn fixture_name(league: &str, date: &str, home: &str, away: &str) -> String {
    format!("{league}|{date}|{home}|{away}")
}
