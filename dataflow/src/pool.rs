//! Several workers on threads of their own: the same dataflows, with fixtures divided by id and
//! teams by hash. Whatever ends a thread early is told to the caller as an error.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use schema::Tick;
use timely::WorkerConfig;
use timely::communication::WorkerGuards;
use timely::worker::Worker;

use crate::collect::Collected;
use crate::worker::Dataflows;
use crate::{Config, Error, Result};

/// Steps that wait for a worker: the caller waits for each anyway.
const COMMANDS_MAX: usize = 1;

type Command = Arc<Vec<Arc<Tick>>>;
type Reply = std::result::Result<Collected, String>;

/// The worker threads.
pub(crate) struct Pool {
    commands: Vec<SyncSender<Command>>,
    replies: Receiver<Reply>,
    stop: Arc<AtomicBool>,
    guards: Option<WorkerGuards<()>>,
}

/// Tells the caller when its thread ends by a panic.
struct Alarm {
    replies: Sender<Reply>,
    stop: Arc<AtomicBool>,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.stop.store(true, Ordering::Relaxed);
            let _ = self.replies.send(Err("it panicked, see standard error".to_owned()));
        }
    }
}

impl Pool {
    pub(crate) fn start(config: Config) -> Result<Self> {
        let workers = config.workers;
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..workers).map(|_| sync_channel::<Command>(COMMANDS_MAX)).unzip();
        let inboxes: Mutex<Vec<_>> = Mutex::new(receivers.into_iter().map(Some).collect());
        let (reply, replies) = channel();
        let reply = Mutex::new(reply);
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let body = move |worker: &mut Worker| {
            let inbox = lock(&inboxes)[worker.index()].take();
            let replies = lock(&reply).clone();
            let alarm = Alarm { replies, stop: Arc::clone(&stopping) };
            if let Some(inbox) = inbox {
                serve(worker, config, &inbox, &alarm);
            }
        };
        let layout = timely::Config {
            communication: timely::CommunicationConfig::Process(workers),
            worker: WorkerConfig::default(),
        };
        let guards =
            timely::execute(layout, body).map_err(|reason| Error::Start { workers, reason })?;
        Ok(Self { commands: senders, replies, stop, guards: Some(guards) })
    }

    /// Has every worker apply the ticks and gathers what came out.
    pub(crate) fn step(&mut self, ticks: &Command) -> Result<Collected> {
        for command in &self.commands {
            if command.send(Arc::clone(ticks)).is_err() {
                return Err(self.died());
            }
        }
        let mut collected = Collected::default();
        for _ in 0..self.commands.len() {
            match self.replies.recv() {
                Ok(Ok(part)) => collected.append(part),
                Ok(Err(reason)) => return Err(Error::WorkerDied(reason)),
                Err(_) => return Err(self.died()),
            }
        }
        Ok(collected)
    }

    fn died(&self) -> Error {
        let reasons = self.replies.try_iter().find_map(std::result::Result::err);
        Error::WorkerDied(reasons.unwrap_or_else(|| "it is gone".to_owned()))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.commands.clear();
        // A thread that panicked has been reported by `step`; here it only has to be gone.
        self.guards.take().into_iter().flat_map(WorkerGuards::join).for_each(drop);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A worker's life: apply what comes until the caller is gone.
fn serve(worker: &mut Worker, config: Config, inbox: &Receiver<Command>, alarm: &Alarm) {
    let mut dataflows = Dataflows::build(worker, config);
    while let Ok(ticks) = inbox.recv() {
        let Some(collected) = dataflows.step(worker, &ticks, Some(&alarm.stop)) else { break };
        drop(ticks);
        if alarm.replies.send(Ok(collected)).is_err() {
            break;
        }
    }
    // Otherwise timely would run them to their end, which needs workers that may be gone.
    for dataflow in worker.installed_dataflows() {
        worker.drop_dataflow(dataflow);
    }
}
