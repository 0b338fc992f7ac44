//! How panels of weights are cut into groups that a tile goes over before the next tile does.

/// The end of the group that starts at `first` of `panels`: one panel that no assembly loop can compute, or as many
/// neighbours that one can as are `fitting` the cache, and at least one.
pub fn group_end(
    first: usize,
    panels: usize,
    fitting: usize,
    is_loopable: impl Fn(usize) -> bool,
) -> usize {
    let most = first.saturating_add(fitting).min(panels);
    let loopable = (first..most).take_while(|&panel| is_loopable(panel));
    first + loopable.count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_end_before_a_panel_without_a_loop_and_where_the_cache_is_full() {
        let ends = |fitting| {
            let mut ends = vec![0];
            while ends[ends.len() - 1] < 7 {
                ends.push(group_end(ends[ends.len() - 1], 7, fitting, |panel| {
                    panel != 3
                }));
            }
            ends
        };
        assert_eq!(ends(100), [0, 3, 4, 7]);
        assert_eq!(ends(2), [0, 2, 3, 4, 6, 7]);
        assert_eq!(ends(0), [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
