//! Which tokens a block attends to.

/// What one block chooses by, and the lists it fills.
pub struct Choice<'a> {
    /// `[tokens]`: the block's score of each; those of `always` are overwritten.
    pub scores: &'a mut [f32],
    /// Tokens that are chosen besides, rising.
    pub always: &'a [u32],
    /// How many others; fewer than there are.
    pub top_k: usize,
    /// `[tokens]`: the order in which tokens stand while they are chosen.
    pub order: &'a mut [u32],
}

impl Choice<'_> {
    /// Writes the chosen tokens to `chosen`, rising.
    pub fn by_sorting(self, chosen: &mut [u32]) {
        for &token in self.always {
            self.scores[token as usize] = f32::NEG_INFINITY;
        }
        for (token, place) in self.order.iter_mut().enumerate() {
            *place = token as u32;
        }
        let score = |token: u32| self.scores[token as usize];
        self.order.sort_unstable_by(|&a, &b| {
            let by_score = score(b).partial_cmp(&score(a)).expect("scores are numbers");
            by_score.then(a.cmp(&b))
        });
        let (best, besides) = chosen.split_at_mut(self.top_k);
        best.copy_from_slice(&self.order[..self.top_k]);
        besides.copy_from_slice(self.always);
        chosen.sort_unstable();
    }
}
