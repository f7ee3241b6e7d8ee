//! The journal: every fact that can influence an output, durable before it does.
//!
//! It is what makes a replay equal to the live run, and it is the recovery log: state is whatever
//! follows from it. So it favours being checkable over being clever: numbered ticks without gaps,
//! a checksum on every record, segments that read on their own (names included), and a clear line
//! between a torn tail, which a crash leaves and nobody misses, and damage, which stops the reader.
//!
//! | file | what it owns |
//! |---|---|
//! | `writer` | appending, group commit, segments, the lock, recovery of the end |
//! | `reader` | reading tick by tick, torn tail or damage, verification |
//! | `segment` | file names, header, frame and checksums of a record |
//! | `encode`, `decode` | what is in a record |
//! | `wire` | integers and ids in few bytes |
//! | `error` | what can go wrong and what to do about it |

mod decode;
mod encode;
mod error;
mod reader;
mod segment;
#[cfg(test)]
mod tests;
mod wire;
mod writer;

pub use error::{Error, Result};
pub use reader::{Entry, Reader, TornTail, Verification, read, verify};
pub use segment::{FORMAT_VERSION, RECORD_BYTES_MAX};
pub use writer::{Durability, Journal, Options, Recovery};
