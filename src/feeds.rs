//! How fresh each source is. A feed that has gone quiet for longer than its `stale_after` prices
//! nothing: the desk stakes nothing on its books until it speaks again, and the sinks say so.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use schema::{BookId, Event, Fact, SourceId, Span, Time};

/// Freshness of every source, and which source each book comes through.
#[derive(Debug, Default)]
pub struct Feeds {
    sources: BTreeMap<SourceId, Feed>,
    books: FxHashMap<BookId, SourceId>,
    stale: Vec<SourceId>,
}

#[derive(Debug)]
struct Feed {
    name: String,
    stale_after: Span,
    last: Option<Time>,
}

impl Feeds {
    /// Watches a source of the topology.
    pub fn watch(&mut self, name: &str, stale_after: Span) {
        let feed = Feed { name: name.to_owned(), stale_after, last: None };
        self.sources.insert(SourceId::of(name), feed);
    }

    /// Takes note of a fact.
    pub fn note(&mut self, event: &Event) {
        let Some(feed) = self.sources.get_mut(&event.source) else { return };
        feed.last = feed.last.max(Some(event.event_time));
        if let Fact::Quote(quote) = &event.fact {
            self.books.insert(quote.book, event.source);
        }
    }

    /// Brings staleness up to a time; says whether any source changed.
    pub fn turn(&mut self, now: Time) -> bool {
        let is_stale =
            |feed: &Feed| feed.last.is_some_and(|last| now.since(last) > feed.stale_after.ms());
        let stale: Vec<_> =
            self.sources.iter().filter(|(_, feed)| is_stale(feed)).map(|(id, _)| *id).collect();
        let changed = stale != self.stale;
        self.stale = stale;
        changed
    }

    /// Whether a book's source is stale. Books of unwatched sources are not.
    pub fn is_stale(&self, book: BookId) -> bool {
        !self.stale.is_empty()
            && self.books.get(&book).is_some_and(|source| self.stale.contains(source))
    }

    /// Names of the stale sources.
    pub fn stale_names(&self) -> Vec<String> {
        self.stale.iter().filter_map(|id| self.sources.get(id)).map(|f| f.name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequencer::mark;
    use schema::Mark;

    #[test]
    fn a_quiet_feed_goes_stale_and_comes_back() {
        let mut feeds = Feeds::default();
        feeds.watch("odds", Span::minutes(10));
        let mut event = mark(Time::from_ms(0), Mark::Clock).events.remove(0);
        event.source = SourceId::of("odds");
        assert!(!feeds.turn(Time::from_ms(0)), "a source that never spoke is not stale");
        feeds.note(&event);
        assert!(!feeds.turn(Time::from_ms(600_000)));
        assert!(feeds.turn(Time::from_ms(600_001)));
        assert_eq!(feeds.stale_names(), ["odds"]);
        event.event_time = Time::from_ms(700_000);
        feeds.note(&event);
        assert!(feeds.turn(Time::from_ms(700_000)));
        assert!(feeds.stale_names().is_empty());
    }
}
