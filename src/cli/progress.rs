//! A progress bar on long work, when someone is watching a terminal.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use model::{Pricer, Progress};
use schema::{Delta, Names, Outbox, Time};
use tideline::desk::Desk;
use tideline::engine::{Engine, Observer};
use tideline::sequencer::TickStream;

/// A bar on standard error, or nothing when that is not a terminal or output is for machines.
pub struct Bar(Option<ProgressBar>);

impl Bar {
    /// A bar for this work.
    pub fn new(what: &'static str, quiet: bool) -> Self {
        if quiet || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template(
            "{prefix} [{bar:32}] {percent:>3} %  {elapsed} gone, {eta} to go  {wide_msg}",
        );
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(Some(bar))
    }

    /// Shows how far a stream is.
    pub fn show(&self, stream: &dyn TickStream, engine: &Engine) {
        let Some(bar) = &self.0 else { return };
        if let Some(progress) = stream.progress() {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.done_bytes);
        }
        let counts = engine.counts();
        bar.set_message(format!(
            "{} facts, {} bets suggested, bankroll {}",
            counts.events,
            engine.desk().tally().issued,
            engine.desk().account().bankroll(),
        ));
    }

    /// Shows trainings that the stream waits for.
    pub fn watch(&self) -> Watch<'_> {
        Watch(self)
    }

    /// Shows how many trials of a sweep are done.
    pub fn trial(&self, progress: Progress) {
        let Some(bar) = &self.0 else { return };
        bar.set_length(progress.steps_max as u64);
        bar.set_position(progress.step as u64);
        bar.set_message(format!("validation loss {:.5}", progress.validate_loss));
    }

    /// Takes the bar away.
    pub fn done(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Shows trainings on a bar.
pub struct Watch<'a>(&'a Bar);

impl Observer for Watch<'_> {
    fn see(&mut self, _: &Delta, _: &Outbox, _: &Names, _: &dyn Pricer, _: &Desk) {}

    fn training(&mut self, window_end: Time, progress: Progress) {
        let Some(bar) = &self.0.0 else { return };
        bar.set_message(format!(
            "training on what was known on {}: step {} of {}, loss {:.5}",
            window_end.date(),
            progress.step,
            progress.steps_max,
            progress.validate_loss,
        ));
    }
}
