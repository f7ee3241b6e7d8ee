//! Problems of a topology and how they are shown: line, column, the text around, what to do.

use std::fmt::{self, Write as _};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource};
use miette::{SourceCode, SourceSpan};
use serde::Serialize;

use super::tree::Place;

/// One problem of a topology.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    path: String,
    message: String,
    help: Option<String>,
    line: usize,
    column: usize,
    #[serde(skip)]
    place: Place,
}

impl Problem {
    pub(super) fn new(path: String, message: String, help: Option<String>, place: Place) -> Self {
        Self { path, message, help, line: 0, column: 0, place }
    }

    /// Where it is, by keys (`sinks.report.tz`); empty for the whole file.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Line, from 1.
    pub const fn line(&self) -> usize {
        self.line
    }

    /// Column in characters, from 1.
    pub const fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = if self.path.is_empty() { "" } else { ": " };
        write!(f, "{}{colon}{}", self.path, self.message)
    }
}

/// Why a topology was refused: every problem that could be found, in the order of the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file has problems.
    #[error("{name} has {}: {first}", count(problems), first = First(problems))]
    Problems {
        /// What the file is called.
        name: String,
        /// Its text.
        text: String,
        /// Its problems.
        problems: Vec<Problem>,
    },
}

struct First<'a>(&'a [Problem]);

impl fmt::Display for First<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.first() {
            Some(problem) => {
                write!(f, "line {}, column {}: {problem}", problem.line, problem.column)
            }
            None => Ok(()),
        }
    }
}

fn count(problems: &[Problem]) -> String {
    if problems.len() == 1 {
        "a problem".to_owned()
    } else {
        format!("{} problems", problems.len())
    }
}

/// Collects the problems of a text and makes an error of them when there are any.
pub(super) fn gather<T>(
    text: &str,
    name: &str,
    read: impl FnOnce(&mut Vec<Problem>) -> Option<T>,
) -> Result<T, Error> {
    let mut problems = Vec::new();
    let value = read(&mut problems);
    for problem in &mut problems {
        let before = text.get(..problem.place.start).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        problem.line = before.matches('\n').count() + 1;
        problem.column = line.chars().count() + 1;
    }
    problems.sort_by_key(|problem| problem.place.start);
    match value {
        Some(value) if problems.is_empty() => Ok(value),
        _ => Err(Error::Problems { name: name.to_owned(), text: text.to_owned(), problems }),
    }
}

impl Error {
    /// The problems, in the order of the file.
    pub fn problems(&self) -> &[Problem] {
        let Self::Problems { problems, .. } = self;
        problems
    }

    /// The problems, in the order of the file.
    pub fn into_problems(self) -> Vec<Problem> {
        let Self::Problems { problems, .. } = self;
        problems
    }

    /// Every problem with the text around it, in colour where the terminal has it.
    pub fn render(&self) -> String {
        self.render_with(GraphicalTheme::default())
    }

    pub(super) fn render_with(&self, theme: GraphicalTheme) -> String {
        let Self::Problems { name, text, problems } = self;
        let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false);
        let source = NamedSource::new(name, text.clone());
        let mut out = String::new();
        for problem in problems {
            let shown = Shown { problem, source: &source };
            // Writing to a string cannot fail; the plain message is there should it do so.
            if handler.render_report(&mut out, &shown).is_err() {
                let _ = writeln!(out, "{name}:{}:{}: {problem}", problem.line, problem.column);
            }
        }
        out
    }
}

/// A problem with the text it is in.
#[derive(Debug)]
struct Shown<'a> {
    problem: &'a Problem,
    source: &'a NamedSource<String>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.problem, f)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let Place { start, end } = self.problem.place;
        let span = SourceSpan::new(start.into(), end.saturating_sub(start));
        let label = LabeledSpan::new_with_span(Some("here".to_owned()), span);
        Some(Box::new(std::iter::once(label)))
    }
}
