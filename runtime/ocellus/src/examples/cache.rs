//! The key cache: examples ready to be compared with a frame, in one scan of our INT8 kernel.

use super::{Blend, Examples, Key, blend};
use crate::{
    bundle::FewShot,
    engine::Engine,
    error::Error,
    heads::{HeadSpace, cosine, make_unit},
    prompting::Prompting,
};
use ocellus_kernels::{
    Isa, PANEL_ROWS, ScanQuery, panel_bytes, put_panel_row, qs8_scan, row_scale,
};
use ocellus_language::Labels;
use std::sync::Arc;

/// Examples with all that a session needs of them.
pub(crate) struct KeyCache {
    examples: Examples,
    /// How the labels are prompted.
    prompting: Prompting,
    calibration: FewShot,
    logit_scale: f32,
    /// The keys as the scan reads them, `[n / 16]` panels, and what makes a product a cosine, zero where there is no key.
    panels: Vec<i8>,
    scales: Vec<f32>,
    /// Of each key: the number of its label, its place in the text space, that place's cosine with the words of each
    /// label, and the key's similarity to the nearest other key of each label. They grow with each key and are never made
    /// anew, so that the cost of one more stays that of one.
    owners: Vec<usize>,
    embeddings: Vec<Vec<f32>>,
    cosines: Vec<Vec<f32>>,
    nearest: Vec<Vec<f32>>,
    /// Of each label.
    texts: Vec<Text>,
    blend: Blend,
    space: SimilaritySpace,
}

/// Where a label's words are in the text space.
#[derive(Clone)]
struct Text {
    embedding: Arc<[f32]>,
    /// No word is known: it is where the label's examples are.
    of_examples: bool,
}

/// Memory of comparisons, kept from one frame to the next.
#[derive(Default)]
pub(crate) struct SimilaritySpace {
    query: Option<ScanQuery>,
    scores: Vec<f32>,
    bests: Vec<f32>,
}

/// An example that can be added.
pub(super) struct Lesson {
    label: Arc<str>,
    key: Key,
    embedding: Vec<f32>,
    text: Text,
}

impl KeyCache {
    /// Nothing was taught.
    pub fn empty(engine: &Engine, prompting: Prompting) -> KeyCache {
        let manifest = engine.bundle().manifest();
        let calibration = FewShot::of(manifest);
        KeyCache {
            blend: Blend {
                weight: calibration.weight,
                sharpness: calibration.sharpness,
                left_out: 0,
            },
            prompting,
            calibration,
            logit_scale: manifest.text.logit_scale,
            examples: Examples::none(engine.bundle()),
            panels: Vec::new(),
            scales: Vec::new(),
            owners: Vec::new(),
            embeddings: Vec::new(),
            cosines: Vec::new(),
            nearest: Vec::new(),
            texts: Vec::new(),
            space: SimilaritySpace::default(),
        }
    }

    /// Makes examples ready.
    pub fn of(
        engine: &Engine,
        prompting: Prompting,
        examples: &Examples,
    ) -> Result<KeyCache, Error> {
        let mut cache = KeyCache::empty(engine, prompting);
        for taught in &examples.labels {
            for key in &taught.keys {
                let lesson = cache.lesson_of(engine, &taught.label, key.clone())?;
                cache.put(engine.isa(), lesson);
            }
        }
        cache.refit();
        Ok(cache)
    }

    /// What was taught.
    pub fn examples(&self) -> &Examples {
        &self.examples
    }

    /// How labels are prompted.
    pub fn prompting(&self) -> &Prompting {
        &self.prompting
    }

    /// How examples count beside words.
    pub fn blend(&self) -> Blend {
        self.blend
    }

    /// By how many examples a label was taught.
    pub fn count(&self, label: usize) -> usize {
        self.examples.labels[label].keys.len()
    }

    /// Each label with its place in the text space.
    pub fn texts(&self) -> impl Iterator<Item = (&Arc<str>, &[f32])> {
        let labels = self.examples.labels.iter().map(|taught| &taught.label);
        labels.zip(self.texts.iter().map(|text| &*text.embedding))
    }

    /// The probability, 0..1, that a picture shows one of the labels, by its similarity to the nearest example of each.
    pub fn match_probability(&self, similarities: &[f32]) -> f32 {
        let best = similarities.iter().copied().fold(-1.0, f32::max);
        self.calibration.match_probability(best)
    }

    /// Raises each label's similarity in `similarities` to that of its nearest example to pooled features.
    pub fn compare(
        &self,
        isa: Isa,
        features: &[f32],
        space: &mut SimilaritySpace,
        similarities: &mut [f32],
    ) {
        self.scan(isa, features, space);
        for (&owner, &score) in self.owners.iter().zip(&space.scores) {
            similarities[owner] = similarities[owner].max(score);
        }
    }

    /// The cosine of features with each key.
    fn scan(&self, isa: Isa, features: &[f32], space: &mut SimilaritySpace) {
        let query = space.query.get_or_insert_with(|| ScanQuery::new(features));
        query.set(features);
        space.scores.resize(self.scales.len(), 0.0);
        space.bests.resize(self.scales.len() / PANEL_ROWS, 0.0);
        let (scores, bests) = (&mut space.scores, &mut space.bests);
        qs8_scan(isa, query, &self.panels, &self.scales, scores, bests);
        let unit = query.unit();
        scores.iter_mut().for_each(|score| *score *= unit);
    }

    /// What features teach a label; nothing where they taught it already.
    pub(super) fn lesson(
        &self,
        engine: &Engine,
        label: &str,
        features: &[f32],
    ) -> Result<Option<Lesson>, Error> {
        let checked = Labels::new(vec![label.into()])?;
        let label: Arc<str> = checked.as_slice()[0].as_str().into();
        let key = Key::of(features).ok_or_else(|| engine.not_finite("features vector"))?;
        match self.examples.admits(&label, &key)? {
            true => self.lesson_of(engine, &label, key).map(Some),
            false => Ok(None),
        }
    }

    fn lesson_of(&self, engine: &Engine, label: &Arc<str>, key: Key) -> Result<Lesson, Error> {
        let mut space = HeadSpace::default();
        engine.embed_into(&key.features(), &mut space)?;
        let embedding = space.embedding;
        let known = self.examples.position(label);
        let text = match known.map(|at| (at, &self.texts[at])) {
            Some((_, text)) if !text.of_examples => text.clone(),
            None if engine.tokenizer.require_known(label).is_ok() => Text {
                embedding: engine.embed_prompted(label, &self.prompting)?.into(),
                of_examples: false,
            },
            // No word of it is known.
            unknown => {
                let mut sum = embedding.clone();
                let own = |owner: &usize| unknown.is_some_and(|(at, _)| at == *owner);
                let owned = self.owners.iter().zip(&self.embeddings);
                for (_, other) in owned.filter(|(owner, _)| own(owner)) {
                    sum.iter_mut().zip(other).for_each(|(sum, x)| *sum += x);
                }
                Text {
                    embedding: match make_unit(&mut sum) {
                        true => sum.into(),
                        false => embedding.as_slice().into(),
                    },
                    of_examples: true,
                }
            }
        };
        Ok(Lesson {
            label: Arc::clone(label),
            key,
            embedding,
            text,
        })
    }

    /// The texts as they are once a lesson was learnt.
    pub(super) fn texts_with<'a>(
        &'a self,
        lesson: &'a Lesson,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a [f32])> {
        let new = self.examples.position(&lesson.label).is_none();
        let of = |text: &'a Text| &*text.embedding;
        let known = self
            .texts()
            .map(move |(label, text)| match *label == lesson.label {
                true => (label, of(&lesson.text)),
                false => (label, text),
            });
        known.chain(new.then_some((&lesson.label, of(&lesson.text))))
    }

    /// Learns a lesson; by how many examples its label is taught now.
    pub(super) fn learn(&mut self, isa: Isa, lesson: Lesson) -> usize {
        let label = self.put(isa, lesson);
        self.refit();
        self.count(label)
    }

    fn put(&mut self, isa: Isa, lesson: Lesson) -> usize {
        let Lesson {
            label,
            key,
            embedding,
            text,
        } = lesson;
        // How similar the other keys are to it.
        let mut space = std::mem::take(&mut self.space);
        self.scan(isa, &key.features(), &mut space);
        let row = self.owners.len();
        let panel = panel_bytes(key.elements.len());
        if row.is_multiple_of(PANEL_ROWS) {
            self.panels.resize(self.panels.len() + panel, 0);
            self.scales.resize(self.scales.len() + PANEL_ROWS, 0.0);
        }
        let last = self.panels.len() - panel;
        put_panel_row(&mut self.panels[last..], row % PANEL_ROWS, &key.elements);
        self.scales[row] = row_scale(&key.elements);

        let owner = self.examples.add(&label, key);
        self.put_text(owner, text);
        let mut nearest = vec![f32::NEG_INFINITY; self.texts.len()];
        for (at, &score) in space.scores.iter().take(row).enumerate() {
            let of_other = &mut nearest[self.owners[at]];
            *of_other = of_other.max(score);
            let of_this = &mut self.nearest[at][owner];
            *of_this = of_this.max(score);
        }
        self.owners.push(owner);
        let texts = self.texts.iter();
        self.cosines.push(
            texts
                .map(|text| cosine(&embedding, &text.embedding))
                .collect(),
        );
        self.embeddings.push(embedding);
        self.nearest.push(nearest);
        self.space = space;
        owner
    }

    /// The words of a label, which is new or whose words may be others now.
    fn put_text(&mut self, label: usize, text: Text) {
        let known = self.texts.get(label);
        if known.is_some_and(|known| *known.embedding == *text.embedding) {
            return;
        }
        let keys = self.embeddings.iter().zip(&mut self.cosines);
        for (embedding, cosines) in keys {
            let cosine = cosine(embedding, &text.embedding);
            match cosines.get_mut(label) {
                Some(known) => *known = cosine,
                None => cosines.push(cosine),
            }
        }
        if label == self.texts.len() {
            self.texts.push(text);
            let missing = |nearest: &mut Vec<f32>| nearest.push(f32::NEG_INFINITY);
            self.nearest.iter_mut().for_each(missing);
        } else {
            self.texts[label] = text;
        }
    }

    /// Chooses the blend anew.
    fn refit(&mut self) {
        let default = Blend {
            weight: self.calibration.weight,
            sharpness: self.calibration.sharpness,
            left_out: 0,
        };
        // Without its only example a label would not be a taught one.
        let several: Vec<usize> = (0..self.owners.len())
            .filter(|&at| self.count(self.owners[at]) > 1)
            .collect();
        let left_out: Vec<_> = blend::chosen(several.len())
            .map(|place| {
                let at = several[place];
                blend::LeftOut {
                    label: self.owners[at],
                    cosines: &self.cosines[at],
                    nearest: &self.nearest[at],
                }
            })
            .collect();
        self.blend = Blend::fit(default, self.logit_scale, &left_out);
    }
}
