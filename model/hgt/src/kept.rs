//! What a device made of a plan, kept beside the plan so that it is made once a graph.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Things of any type, made at most once for each device. Not part of what a plan says: all are
/// equal.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Vec<Arc<dyn Any + Send + Sync>>>>);

impl Kept {
    /// The kept thing of this type that fits, or a new one.
    pub fn get_or_make<T: Any + Send + Sync>(
        &self,
        fits: impl Fn(&T) -> bool,
        make: impl FnOnce() -> T,
    ) -> Arc<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = all.iter().filter_map(|it| Arc::clone(it).downcast::<T>().ok());
        if let Some(found) = same.into_iter().find(|it| fits(it)) {
            return found;
        }
        let made = Arc::new(make());
        all.push(made.clone());
        made
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

impl PartialEq for Kept {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Kept {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_made_once_for_each_type_and_fit() {
        let kept = Kept::default();
        let first = kept.get_or_make(|it: &usize| *it == 1, || 1);
        let again = kept.clone().get_or_make(|it: &usize| *it == 1, || unreachable!("it is kept"));
        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!(*kept.get_or_make(|it: &usize| *it == 2, || 2), 2);
        assert_eq!(*kept.get_or_make(|_: &String| true, || "text".into()), "text");
    }
}
