//! "Did you mean": only when the words are close.

use alloc::vec::Vec;

/// The candidate that needs the fewest edits to become `word`, when those are at most a third of its length.
pub(crate) fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let limit = (word.chars().count() / 3).max(1);
    let best = candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .min_by_key(|pair| pair.0)?;
    (best.0 <= limit && word.chars().count() > 1).then_some(best.1)
}

/// Edits between two words, case aside: inserted, removed, changed, or two neighbours swapped.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().map(|c| c.to_ascii_lowercase()).take(64).collect();
    let b: Vec<char> = b.chars().map(|c| c.to_ascii_lowercase()).take(64).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, cb) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let mut cost =
                (at(&last, j) + usize::from(ca != cb)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            if i > 0 && j > 0 && a.get(i - 1) == Some(cb) && b.get(j - 1) == Some(ca) {
                cost = cost.min(at(&before, j - 1) + 1);
            }
            row.push(cost);
        }
        before = core::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn only_close_words_are_suggested() {
        let words = ["as_number", "is_defined", "length"];
        assert_eq!(closest("as_numbr", words), Some("as_number"));
        assert_eq!(closest("As_Nubmer", words), Some("as_number"));
        assert_eq!(closest("is_define", words), Some("is_defined"));
        assert_eq!(closest("unknown_function", words), None);
        assert_eq!(closest("x", ["y"]), None);
    }
}
