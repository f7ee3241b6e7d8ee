//! `console`: what to bet now, as a table that redraws in place on a terminal.
//!
//! Piped into a file it says nothing unless asked, so that a command's own output stays clean. The
//! drawing is a pure function of the state; only the pace of redrawing looks at the clock.

mod draw;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write};
use std::sync::Arc;

use schema::{Action, Clock, EventId, Money, Outbox, RunState, Suggestion, SystemClock, Time};
use serde::{Deserialize, Serialize};

use crate::{Error, Result, Sink};
use draw::{frame, line};

/// Settings in full.
pub const EXAMPLE: &str = "\
type: console
verbose: false           # when piped: one line per suggestion
rows_max: 16             # rows of the table: keep it below the terminal's height
redraws_per_second: 4    # at most
";

/// Most rows a table may be given.
const ROWS_LIMIT: u16 = 200;
/// Most redraws a second that may be asked for.
const REDRAWS_LIMIT: u16 = 60;

/// Settings of the console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// When standard output is not a terminal: print one line per suggestion instead of nothing.
    /// Default false.
    pub verbose: bool,
    /// Most rows of the table, 1 to 200; the rest is counted. The
    /// table redraws in place only while it fits the terminal's height. Default 16.
    pub rows_max: u16,
    /// Most redraws a second, 1 to 60. Default 4.
    pub redraws_per_second: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self { verbose: false, rows_max: 16, redraws_per_second: 4 }
    }
}

impl Config {
    /// Opens the console on standard output.
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting outside its range.
    pub fn open(&self, name: &str) -> Result<Console> {
        let stdout = io::stdout();
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let mode = match (stdout.is_terminal() && !is_dumb, self.verbose) {
            (true, _) => Mode::Table,
            (false, true) => Mode::Lines,
            (false, false) => Mode::Quiet,
        };
        let color = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Console::new(name, self, mode, color, Box::new(stdout), Arc::new(SystemClock::new()))
    }

    fn check(&self, sink: &str) -> Result<()> {
        let settings = [
            ("rows_max", self.rows_max, ROWS_LIMIT),
            ("redraws_per_second", self.redraws_per_second, REDRAWS_LIMIT),
        ];
        for (setting, value, limit) in settings {
            if !(1..=limit).contains(&value) {
                return Err(Error::Setting {
                    sink: sink.to_owned(),
                    setting,
                    found: value.to_string(),
                    advice: format!("give a number from 1 to {limit}"),
                });
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Table,
    Lines,
    Quiet,
}

/// What the table shows, as of the last outbox.
#[derive(Default)]
struct State {
    time: Time,
    bankroll: Money,
    exposure: Money,
    run: RunState,
    run_reason: String,
    stale: Vec<String>,
    outstanding: BTreeMap<EventId, Arc<Suggestion>>,
}

impl State {
    fn apply(&mut self, outbox: &Outbox) {
        self.time = outbox.time;
        self.bankroll = outbox.bankroll;
        self.exposure = outbox.exposure;
        self.run = outbox.state;
        self.run_reason.clone_from(&outbox.state_reason);
        self.stale.clone_from(&outbox.stale_sources);
        for suggestion in &outbox.suggestions {
            let id = suggestion.suggestion_id;
            match suggestion.action {
                Action::Issued | Action::Revised => {
                    self.outstanding.insert(id, Arc::clone(suggestion));
                }
                _ => {
                    self.outstanding.remove(&id);
                }
            }
        }
    }
}

/// The console at work.
pub struct Console {
    name: String,
    mode: Mode,
    color: bool,
    rows_max: usize,
    redraw_interval_ns: u64,
    output: Box<dyn Write + Send>,
    clock: Arc<dyn Clock>,
    state: State,
    drawn_at_ns: Option<u64>,
    lines_drawn: usize,
    is_stale: bool,
    is_closed: bool,
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console")
            .field("name", &self.name)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

impl Console {
    fn new(
        name: &str,
        config: &Config,
        mode: Mode,
        color: bool,
        output: Box<dyn Write + Send>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        config.check(name)?;
        Ok(Self {
            name: name.to_owned(),
            mode,
            color,
            rows_max: usize::from(config.rows_max),
            redraw_interval_ns: 1_000_000_000 / u64::from(config.redraws_per_second),
            output,
            clock,
            state: State::default(),
            drawn_at_ns: None,
            lines_drawn: 0,
            is_stale: false,
            is_closed: false,
        })
    }

    /// A reader that went away (`| head`) ends the display, not the run.
    fn write(&mut self, text: &str) -> Result<()> {
        if self.is_closed || text.is_empty() {
            return Ok(());
        }
        match self.output.write_all(text.as_bytes()).and_then(|()| self.output.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            result => result.map_err(Error::Output),
        }
    }

    fn redraw(&mut self, now_ns: u64) -> Result<()> {
        let lines = frame(&self.state, self.rows_max, self.color);
        let mut text = String::new();
        if self.lines_drawn > 0 {
            let _ = write!(text, "\x1b[{}A", self.lines_drawn);
        }
        // Without wrapping, a line is one row of the terminal however narrow that is.
        text.push_str("\r\x1b[?7l");
        for line in &lines {
            let _ = write!(text, "{line}\x1b[K\r\n");
        }
        text.push_str("\x1b[J\x1b[?7h");
        self.lines_drawn = lines.len();
        self.drawn_at_ns = Some(now_ns);
        self.is_stale = false;
        self.write(&text)
    }
}

impl Sink for Console {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn publish(&mut self, outbox: &Outbox) -> Result<()> {
        match self.mode {
            Mode::Quiet => Ok(()),
            Mode::Lines => {
                let mut text = String::new();
                for suggestion in &outbox.suggestions {
                    text.push_str(&line(suggestion));
                }
                self.write(&text)
            }
            Mode::Table => {
                self.state.apply(outbox);
                self.is_stale = true;
                let now = self.clock.elapsed_ns();
                let is_due = |drawn: u64| now.saturating_sub(drawn) >= self.redraw_interval_ns;
                if self.drawn_at_ns.is_none_or(is_due) { self.redraw(now) } else { Ok(()) }
            }
        }
    }

    fn finish(&mut self) -> Result<()> {
        if self.is_stale { self.redraw(self.clock.elapsed_ns()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use schema::ManualClock;

    use super::draw::row;
    use super::*;
    use crate::made_up::{self, HOSTILE};

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Screen {
        fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
        }
    }

    fn console(mode: Mode) -> (Console, Screen, Arc<ManualClock>) {
        let (screen, clock) = (Screen::default(), Arc::new(ManualClock::default()));
        let (output, time) = (Box::new(screen.clone()), Arc::clone(&clock));
        let config = Config::default();
        let console = Console::new("console", &config, mode, false, output, time).unwrap();
        (console, screen, clock)
    }

    #[test]
    fn the_table_shows_what_is_outstanding() {
        let mut state = State::default();
        made_up::small_run().iter().take(2).for_each(|outbox| state.apply(outbox));
        insta::assert_snapshot!(frame(&state, 1, false).join("\n"), @r"
        Tideline  2022-08-05T15:00:00Z  run  bankroll 10,000.00  exposure 82.40  outstanding 2
        KICK-OFF UTC  FIXTURE                        BET                       BOOK       ODDS    MIN    EDGE  CONF      STAKE  REASON
        08-05 19:00   Crystal Palace - Ath Bilbao    1x2 draw                  PS          2.35   2.24   +6.6%  0.78      41.20  B365 offers 2.35 where 11 books make it 2.20; the price has not moved against it.
        and 1 more
        ");
    }

    #[test]
    fn piped_it_is_quiet_unless_verbose() {
        let (mut quiet, screen, _) = console(Mode::Quiet);
        let (mut verbose, lines, _) = console(Mode::Lines);
        let run = made_up::small_run();
        for outbox in &run {
            quiet.publish(outbox).unwrap();
            verbose.publish(outbox).unwrap();
        }
        quiet.finish().unwrap();
        verbose.finish().unwrap();
        assert_eq!(screen.take(), "");
        let suggestions: usize = run.iter().map(|outbox| outbox.suggestions.len()).sum();
        assert_eq!(lines.take().lines().count(), suggestions);
    }

    #[test]
    fn redraws_are_bounded_and_the_last_state_is_drawn() {
        let (mut table, screen, clock) = console(Mode::Table);
        let run = made_up::small_run();
        for outbox in &run {
            for _ in 0..100 {
                table.publish(outbox).unwrap();
            }
        }
        assert_eq!(screen.take().matches("Tideline").count(), 1, "the clock stands still");
        clock.set(Time::from_ms(250));
        table.publish(&run[0]).unwrap();
        let drawn = screen.take();
        assert!(drawn.starts_with("\x1b["), "it goes back over the first frame: {drawn:?}");
        table.publish(&run[1]).unwrap();
        table.finish().unwrap();
        assert_eq!(screen.take().matches("Tideline").count(), 1);
        table.finish().unwrap();
        assert_eq!(screen.take(), "", "nothing new to draw");
    }

    #[test]
    fn names_cannot_steer_the_terminal() {
        let mut hostile = made_up::suggestion(1, 1, Action::Issued);
        hostile.home = format!("\x1b[2J{HOSTILE}");
        hostile.reason = "line\nbreak\x07".to_owned();
        let drawn = format!("{}{}", row(&hostile), line(&hostile).trim_end());
        assert!(!drawn.chars().any(char::is_control), "{drawn:?}");
    }

    #[test]
    fn a_closed_pipe_ends_the_display_and_not_the_run() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let clock = Arc::new(ManualClock::default());
        let output = Box::new(Closed);
        let mut console =
            Console::new("c", &Config::default(), Mode::Lines, false, output, clock).unwrap();
        for outbox in made_up::small_run() {
            console.publish(&outbox).unwrap();
        }
    }

    #[test]
    fn a_setting_outside_its_range_is_named() {
        let config = Config { redraws_per_second: 0, ..Config::default() };
        let error = config.open("screen").unwrap_err().to_string();
        assert_eq!(error, "sink screen: redraws_per_second is 0: give a number from 1 to 60");
    }
}
