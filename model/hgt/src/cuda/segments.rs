//! Groups of entries cut into pieces that one unit can walk through.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;

use super::memory::Memory;

/// Entries of a segment of edges: what one unit walks through.
pub(super) const SEGMENT_EDGES: usize = 64;
/// Entries of a segment of rows, where neighbouring units read neighbouring numbers.
pub(super) const SEGMENT_ROWS: usize = 256;

/// Groups of entries cut into segments; see `kernels::sums`.
pub(super) struct Segments<R: CubeRuntime> {
    pub begin: CubeTensor<R>,
    pub place: CubeTensor<R>,
    pub count: usize,
    /// Groups.
    pub rows: usize,
    /// First slot of every group of several segments, and the end of the last.
    pub long_begin: CubeTensor<R>,
    /// Those groups.
    pub long_row: CubeTensor<R>,
    pub long: usize,
    pub slots: usize,
}

/// The same on the host.
#[derive(Debug, Default, PartialEq, Eq)]
struct Cut {
    begin: Vec<u32>,
    place: Vec<u32>,
    long_begin: Vec<u32>,
    long_row: Vec<u32>,
    slots: usize,
}

/// `starts` has the first entry of every group, and the end of the last.
fn cut(starts: &[u32], length: usize) -> Cut {
    let rows = starts.len() - 1;
    let mut out = Cut { begin: vec![0], long_begin: vec![0], ..Cut::default() };
    for (row, it) in starts.windows(2).enumerate() {
        let entries = it[0] as usize..it[1] as usize;
        let segments = entries.len().div_ceil(length).max(1);
        for at in 0..segments {
            let end = entries.end.min(entries.start + (at + 1) * length);
            out.begin.push(narrow(end));
            out.place.push(narrow(if segments == 1 { row } else { rows + out.slots + at }));
        }
        if segments > 1 {
            out.slots += segments;
            out.long_begin.push(narrow(out.slots));
            out.long_row.push(narrow(row));
        }
    }
    out
}

impl<R: CubeRuntime> Segments<R> {
    pub fn new(memory: &Memory<R>, starts: &[u32], length: usize) -> Self {
        let cut = cut(starts, length);
        Self {
            count: cut.place.len(),
            rows: starts.len() - 1,
            long: cut.long_row.len(),
            slots: cut.slots,
            begin: memory.indices(cut.begin),
            place: memory.indices(cut.place),
            long_begin: memory.indices(cut.long_begin),
            long_row: memory.indices(cut.long_row),
        }
    }
}

/// # Panics
/// When a table has more numbers than 32 bits can count.
pub(super) fn narrow(value: usize) -> u32 {
    assert!(u32::try_from(value).is_ok(), "a graph of this size does not fit: train on less of it");
    value as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_groups_are_one_segment_and_long_ones_several() {
        let cut = cut(&[0, 2, 2, 9, 12], 3);
        assert_eq!(cut.begin, [0, 2, 2, 5, 8, 9, 12]);
        assert_eq!(cut.place, [0, 1, 4, 5, 6, 3]);
        assert_eq!((cut.long_begin, cut.long_row, cut.slots), (vec![0, 3], vec![2], 3));
    }
}
