//! The maintained collections: ticks of facts in, deltas of rows out.
//!
//! Every collection is a function of the *set* of facts and the time of the tick. It does not
//! depend on the order in which facts arrived, on how many ticks are stepped at once, or on the
//! number of workers; the tests compare each against an [`oracle`] that recomputes it from scratch.

mod collect;
mod config;
mod door;
mod error;
mod fixture_state;
mod fixtures;
mod form;
mod history;
mod markets;
pub mod oracle;
mod output;
mod pool;
mod results;
mod rows;
mod training;
mod views;
mod worker;

use std::sync::Arc;

use schema::{Delta, Tick, Time};
use timely::WorkerConfig;
use timely::communication::Allocator;
use timely::communication::allocator::thread::Thread;
use timely::worker::Worker;

use crate::pool::Pool;
use crate::worker::Dataflows;

pub use config::{Config, WORKERS_MAX};
pub use error::{Error, Refused, RefusedReason, Result};
pub use views::{Mismatch, Views};

/// The running dataflow.
///
/// With one worker it runs on the caller's thread, inside [`step`](Self::step), and cannot move to
/// another thread once started: start it on the thread that steps it.
///
/// ```
/// use schema::{Tick, Time};
/// use tideline_dataflow::{Config, Dataflow};
///
/// let mut dataflow = Dataflow::start(Config::default())?;
/// let time = Time::from_ms(1_700_000_000_000);
/// let deltas = dataflow.step([Tick { number: 1, time, events: Vec::new() }])?;
/// assert_eq!(deltas.len(), 1);
/// assert!(deltas[0].markets.is_empty());
/// # Ok::<(), tideline_dataflow::Error>(())
/// ```
pub struct Dataflow {
    workers: Workers,
    last: Option<(u64, Time)>,
    refused: Vec<Refused>,
    late: u64,
}

enum Workers {
    Here { dataflows: Box<Dataflows>, worker: Box<Worker> },
    Threads(Pool),
}

impl std::fmt::Debug for Dataflow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dataflow").field("last", &self.last).finish_non_exhaustive()
    }
}

impl Dataflow {
    /// Starts it, empty.
    ///
    /// # Errors
    /// [`Error::Config`] for values that cannot work, [`Error::Start`] when threads cannot be had.
    pub fn start(config: Config) -> Result<Self> {
        config.check()?;
        let workers = if config.workers == 1 {
            let allocator = Allocator::Thread(Thread::default());
            let mut worker = Box::new(Worker::new(WorkerConfig::default(), allocator, None));
            let dataflows = Box::new(Dataflows::build(&mut worker, config));
            Workers::Here { dataflows, worker }
        } else {
            Workers::Threads(Pool::start(config)?)
        };
        Ok(Self { workers, last: None, refused: Vec::new(), late: 0 })
    }

    /// Applies ticks in one physical step, each at its own logical time, and gives one delta a
    /// tick, in order. How ticks are divided into steps changes no delta.
    ///
    /// Takes ticks or `Arc`s of ticks, for a caller who still needs them.
    ///
    /// # Errors
    /// [`Error::TickOrder`] when numbers do not rise or time goes back; nothing was applied then.
    /// [`Error::WorkerDied`] when a worker thread is gone; the dataflow is of no use any more.
    pub fn step<T: Into<Arc<Tick>>>(
        &mut self,
        ticks: impl IntoIterator<Item = T>,
    ) -> Result<Vec<Delta>> {
        let ticks: Vec<Arc<Tick>> = ticks.into_iter().map(Into::into).collect();
        let mut last = self.last;
        for tick in &ticks {
            let (number, time) = (tick.number, tick.time);
            if let Some((last_number, last_time)) = last
                && (number <= last_number || time < last_time)
            {
                return Err(Error::TickOrder { number, time, last_number, last_time });
            }
            last = Some((number, time));
        }
        if ticks.is_empty() {
            return Ok(Vec::new());
        }
        self.last = last;
        let ticks = Arc::new(ticks);
        let collected = match &mut self.workers {
            Workers::Here { dataflows, worker } => {
                dataflows.step(worker, &ticks, None).unwrap_or_default()
            }
            Workers::Threads(pool) => pool.step(&ticks)?,
        };
        let refused_before = self.refused.len();
        let deltas = collected.into_deltas(&ticks, &mut self.refused);
        self.late += (self.refused.len() - refused_before) as u64;
        Ok(deltas)
    }

    /// The facts refused since this was last asked, in order, for the dead-letter file. They are
    /// kept until asked for: ask after every step.
    pub fn take_refused(&mut self) -> Vec<Refused> {
        std::mem::take(&mut self.refused)
    }

    /// How many facts were refused since the start.
    pub fn late(&self) -> u64 {
        self.late
    }
}
