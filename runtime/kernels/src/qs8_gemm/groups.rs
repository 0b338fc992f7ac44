//! How panels of weights are cut into groups that a tile goes over before the next tile does.

use core::ops::Range;

/// The groups of `panels`, which are neighbours: each is one panel that no assembly loop can compute, or as many neighbours that one can as are
/// `fitting` the cache, and at least one.
pub fn groups(
    panels: Range<usize>,
    fitting: usize,
    is_loopable: impl Fn(usize) -> bool,
) -> impl Iterator<Item = Range<usize>> {
    let mut first = panels.start;
    core::iter::from_fn(move || {
        let most = first.saturating_add(fitting).min(panels.end);
        let loopable = (first..most).take_while(|&panel| is_loopable(panel));
        let group = first..first + loopable.count().max(1);
        first = group.end;
        (group.start < panels.end).then_some(group)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_end_before_a_panel_without_a_loop_and_where_the_cache_is_full() {
        let ends = |panels: Range<usize>, fitting| -> Vec<usize> {
            let start = panels.start;
            let groups = groups(panels, fitting, |panel| panel != 3);
            core::iter::once(start)
                .chain(groups.map(|group| group.end))
                .collect()
        };
        assert_eq!(ends(0..7, 100), [0, 3, 4, 7]);
        assert_eq!(ends(0..7, 2), [0, 2, 3, 4, 6, 7]);
        assert_eq!(ends(0..7, 0), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(ends(2..5, 100), [2, 3, 4, 5]);
        assert_eq!(ends(2..2, 100), [2]);
    }
}
