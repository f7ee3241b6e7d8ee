//! How fast a replay goes. Waiting is done by the runtime's timer only: event times are never
//! touched, so that the pace changes nothing but when things happen.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schema::{Event, Time};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::{Chunk, Door, Error};

/// How fast a replay goes.
///
/// ```
/// use sources::replay::Speed;
/// # use tideline_sources as sources;
/// assert_eq!("10x".parse::<Speed>()?, Speed::Times(10.0));
/// assert!("fast".parse::<Speed>().is_err());
/// # Ok::<(), sources::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Speed {
    /// As fast as it can be read.
    #[default]
    Max,
    /// This many times as fast as it happened.
    Times(f64),
    /// One event time for each line on standard input; ends with it.
    Step,
}

/// Slowest and fastest multiple.
const TIMES: std::ops::RangeInclusive<f64> = 0.001..=1e9;

impl FromStr for Speed {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = || Error::Setting {
            key: "speed",
            reason: format!("{text:?} is not known: write max, step, or a multiple such as 10x"),
        };
        match text.trim() {
            "max" => Ok(Self::Max),
            "step" => Ok(Self::Step),
            other => {
                let times = other.strip_suffix('x').ok_or_else(refuse)?;
                let times: f64 = times.trim().parse().map_err(|_| refuse())?;
                if TIMES.contains(&times) { Ok(Self::Times(times)) } else { Err(refuse()) }
            }
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Times(times) => write!(f, "{times}x"),
            Self::Step => f.write_str("step"),
        }
    }
}

impl Serialize for Speed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Speed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Passes chunks on in their own time, event time by event time, until they end, the door closes,
/// or (stepping) nobody steps any more.
pub(super) async fn pace(speed: Speed, mut chunks: mpsc::Receiver<Chunk>, door: &Door) {
    let mut pacer = Pacer { speed, start: None, last: None };
    while let Some(mut chunk) = chunks.recv().await {
        let events = std::mem::take(&mut chunk.events);
        // Names, rejects and progress wait for nothing.
        if !chunk.is_empty() && door.send(chunk).await.is_err() {
            return;
        }
        for group in events.chunk_by(|a, b| a.event_time == b.event_time) {
            tokio::select! {
                go = pacer.wait(group[0].event_time) => if !go { return },
                () = door.closed() => return,
            }
            let group: Vec<Event> = group.to_vec();
            if door.send(Chunk { events: group, ..Chunk::default() }).await.is_err() {
                return;
            }
        }
    }
}

struct Pacer {
    speed: Speed,
    start: Option<(Instant, Time)>,
    last: Option<Time>,
}

impl Pacer {
    /// Waits until facts of `time` are due; false when they never will be.
    async fn wait(&mut self, time: Time) -> bool {
        if self.last == Some(time) {
            return true;
        }
        self.last = Some(time);
        match self.speed {
            Speed::Max => true,
            Speed::Step => step().await,
            Speed::Times(times) => {
                let (start, first) = *self.start.get_or_insert((Instant::now(), time));
                // A fact out of order is late already.
                let elapsed_ms = time.since(first).max(0) as f64 / times;
                tokio::time::sleep_until(start + Duration::from_secs_f64(elapsed_ms / 1e3)).await;
                true
            }
        }
    }
}

/// Waits for a line on standard input; false when it has ended.
async fn step() -> bool {
    let read = || std::io::stdin().read_line(&mut String::new());
    matches!(tokio::task::spawn_blocking(read).await, Ok(Ok(1..)))
}
