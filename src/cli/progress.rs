//! A progress bar on long work, when someone is watching a terminal.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tideline::engine::Engine;
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

    /// Takes the bar away.
    pub fn done(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
