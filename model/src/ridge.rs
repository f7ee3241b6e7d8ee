//! Ridge regression on running sums: what is learned is a matrix that can be decayed, saved and
//! solved again at every window close, however long the history.

use schema::BookId;
use serde::{Deserialize, Serialize};

use crate::consensus::{BOOKS_MAX, DRIFTS, Logs, Members};

/// Decayed normal equations: columns are the drifts, then the books in order of id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sums {
    books: Vec<BookId>,
    /// Row-major, symmetric.
    moments: Vec<f64>,
    targets: Vec<f64>,
    /// Decayed number of markets.
    pub markets: f64,
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            books: Vec::new(),
            moments: vec![0.0; DRIFTS * DRIFTS],
            targets: vec![0.0; DRIFTS],
            markets: 0.0,
        }
    }
}

/// What the regression found: coefficients of the drifts, and by book of its difference from the
/// plain mean.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Coefficients {
    pub drifts: [f64; DRIFTS],
    /// Sorted by book.
    pub books: Vec<(BookId, f64)>,
}

impl Coefficients {
    /// Coefficient of a book; zero, the plain mean's own opinion, for one never seen.
    pub fn book(&self, book: BookId) -> f64 {
        self.books.binary_search_by_key(&book, |(book, _)| *book).map_or(0.0, |i| self.books[i].1)
    }

    /// The corrected consensus of a row's books.
    pub fn apply(&self, members: &Members) -> Logs {
        let mut logs = members.mean;
        for (drift, coefficient) in members.drifts().iter().zip(self.drifts) {
            logs.iter_mut().zip(drift).for_each(|(log, d)| *log += coefficient * d);
        }
        for member in &members.books {
            let coefficient = self.book(member.book);
            logs.iter_mut().zip(member.difference).for_each(|(log, d)| *log += coefficient * d);
        }
        logs
    }
}

impl Sums {
    /// Number of columns.
    fn columns(&self) -> usize {
        self.targets.len()
    }

    /// Column of a book, made when it is new; `None` when there are too many.
    fn column(&mut self, book: BookId) -> Option<usize> {
        match self.books.binary_search(&book) {
            Ok(i) => Some(DRIFTS + i),
            Err(_) if self.books.len() >= BOOKS_MAX => None,
            Err(i) => {
                self.books.insert(i, book);
                self.insert_column(DRIFTS + i);
                Some(DRIFTS + i)
            }
        }
    }

    fn insert_column(&mut self, at: usize) {
        let old = self.columns();
        let new = old + 1;
        let mut moments = vec![0.0; new * new];
        let place = |i: usize| if i < at { i } else { i + 1 };
        for i in 0..old {
            for j in 0..old {
                moments[place(i) * new + place(j)] = self.moments[i * old + j];
            }
        }
        self.moments = moments;
        self.targets.insert(at, 0.0);
    }

    /// Adds one market: what its books said, and what the close said.
    pub fn add(&mut self, members: &Members, close: &Logs) {
        let mut columns: Vec<(usize, Logs)> = members.drifts().into_iter().enumerate().collect();
        // Columns move when a book is new, so all books get theirs before any is used.
        for member in &members.books {
            self.column(member.book);
        }
        for member in &members.books {
            if let Some(column) = self.column(member.book) {
                columns.push((column, member.difference));
            }
        }
        let n = self.columns();
        let dot = |a: &Logs, b: &Logs| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let residual: Logs = std::array::from_fn(|i| close[i] - members.mean[i]);
        for (i, x) in &columns {
            self.targets[*i] += dot(x, &residual);
            for (j, other) in &columns {
                self.moments[i * n + j] += dot(x, other);
            }
        }
        self.markets += 1.0;
    }

    /// Lets the past count less.
    pub fn decay(&mut self, factor: f64) {
        self.moments.iter_mut().chain(&mut self.targets).for_each(|sum| *sum *= factor);
        self.markets *= factor;
    }

    /// Adds other sums.
    pub fn merge(&mut self, other: &Self) {
        for book in &other.books {
            self.column(*book);
        }
        let place: Vec<Option<usize>> = (0..DRIFTS)
            .map(Some)
            .chain(other.books.iter().map(|book| self.column(*book)))
            .collect();
        let (n, m) = (self.columns(), other.columns());
        for (i, to) in place.iter().enumerate() {
            let Some(to) = to else { continue };
            self.targets[*to] += other.targets[i];
            for (j, across) in place.iter().enumerate() {
                if let Some(across) = across {
                    self.moments[to * n + across] += other.moments[i * m + j];
                }
            }
        }
        self.markets += other.markets;
    }

    /// The coefficients with the least squared error plus `ridge` times their squares.
    pub fn solve(&self, ridge: f64) -> Coefficients {
        let n = self.columns();
        let (mut a, mut b) = (self.moments.clone(), self.targets.clone());
        for i in 0..n {
            a[i * n + i] += ridge;
        }
        if !schema::linear::solve(&mut a, &mut b) {
            return Coefficients::default();
        }
        let mut drifts = [0.0; DRIFTS];
        drifts.copy_from_slice(&b[..DRIFTS]);
        Coefficients {
            drifts,
            books: self.books.iter().copied().zip(b[DRIFTS..].to_vec()).collect(),
        }
    }

    /// Whether the pieces have the sizes they must have, for sums read from outside.
    pub fn is_sound(&self) -> bool {
        let n = DRIFTS + self.books.len();
        self.targets.len() == n
            && self.moments.len() == n * n
            && self.books.len() <= BOOKS_MAX
            && self.books.windows(2).all(|pair| pair[0] < pair[1])
    }
}
