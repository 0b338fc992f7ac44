//! One frame through the stages: read, look, resize, encode, heads, and once more at the highest resolution where the
//! answer is unsure.

use crate::{
    engine::Engine,
    error::Error,
    examples::{KeyCache, SimilaritySpace},
    heads::{
        HeadSpace, Probabilities, cosine, label_margin, make_unit, rank, sigmoid_into, softmax_into,
    },
    pace::Pace,
    policy::Policy,
    reading::Reading,
    relevance::{self, AttentionSpace, Blocks},
    report::{Hit, Report, Seen, StagesUs, Taught},
    words::Words,
};
use ocellus_encoder::Tensor;
use ocellus_vision::Workspace;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Time spent in each stage so far.
#[derive(Default)]
struct Watch {
    look: Duration,
    resize: Duration,
    encode: Duration,
    heads: Duration,
    /// One-off work that a frame happened to wait for, such as making a plan.
    preparation: Duration,
}

/// Runs `work` and adds its time to `spent`.
fn timed<T>(spent: &mut Duration, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    *spent += start.elapsed();
    result
}

/// What a session asks of every frame.
pub(crate) struct Asked {
    pub policy: Policy,
    pub words: Option<Words>,
    /// What was taught; each of its labels is one of the words.
    pub taught: KeyCache,
    /// How relevance is computed, where it is asked for.
    pub blocks: Option<Blocks>,
}

/// What a session keeps from one frame to the next.
#[derive(Default)]
pub(crate) struct Kept {
    pub pace: Pace,
    pub attention: AttentionSpace,
    space: Workspace,
    /// The encoder's input.
    rgb: Vec<u8>,
    /// The encoder's map, where there is one, and features of each view.
    outputs: Vec<Vec<Tensor>>,
    heads: HeadSpace,
    similarity: SimilaritySpace,
    answer: Answer,
    /// Why the resolution was chosen.
    reason: String,
}

impl Kept {
    pub fn new(pace: Pace) -> Kept {
        Kept {
            pace,
            ..Kept::default()
        }
    }
}

/// An answer at one resolution.
#[derive(Default)]
struct Answer {
    /// With the words of each label.
    cosines: Vec<f32>,
    /// With the nearest example of each label that was taught.
    similarities: Vec<f32>,
    scores: Vec<f32>,
    /// The softmax of the scores, which says how far the best is ahead also where it is no probability.
    shares: Vec<f32>,
    probabilities: Vec<f32>,
    order: Vec<usize>,
    match_probability: f32,
}

impl Answer {
    /// How sure the answer is, 0..1: the distance to the nearest thing that would change it.
    fn margin(&self) -> f32 {
        label_margin(&self.shares, &self.order).min((2.0 * self.match_probability - 1.0).abs())
    }
}

/// What a frame that was read shows, into `report`; on an error it stays as it was.
pub(crate) fn run(
    engine: &Engine,
    asked: &Asked,
    reading: &Reading,
    kept: &mut Kept,
    report: &mut Report,
) -> Result<(), Error> {
    let policy = &asked.policy;
    let words = asked.words.as_ref().ok_or(Error::NoLabels)?;
    let manifest = engine.bundle().manifest();
    let mut watch = Watch::default();

    let (entropy_bits, first) = timed(&mut watch.look, || look(engine, policy, reading, kept));
    let mut resolution = first;
    let mut degraded = false;
    answer(engine, asked, words, reading, resolution, kept, &mut watch)?;
    let margin = kept.answer.margin();
    let resolutions = engine.resolutions();
    if let Some(higher) = policy.escalate(margin, resolution, resolutions, &mut kept.reason) {
        let now = Instant::now();
        degraded = !kept.pace.allows(reading.start, now);
        if degraded {
            kept.reason += ", but the budget does not allow it";
        } else {
            resolution = higher;
            let before = watch.preparation;
            answer(engine, asked, words, reading, resolution, kept, &mut watch)?;
            let preparation = watch.preparation - before;
            kept.pace
                .took(now.elapsed().saturating_sub(preparation), Instant::now());
        }
    }

    let mut places = match (asked.blocks, &words.prompts) {
        (Some(blocks), Some(prompts)) => timed(&mut watch.heads, || {
            let maps = kept.outputs.iter().map(|outputs| &outputs[0]);
            relevance::places(blocks, prompts, maps, &reading.views, &mut kept.attention)
        })?
        .into_iter()
        .map(Some)
        .collect(),
        _ => Vec::new(),
    };
    engine.room("a frame")?;
    let total = reading.start.elapsed().saturating_sub(watch.preparation);
    let answer = &kept.answer;
    let mut hit = |&index: &usize| Hit {
        label: Arc::clone(&words.shared[index]),
        index,
        score: answer.scores[index],
        probability: answer.probabilities[index],
        taught: words.taught[index].map(|label| Taught {
            examples: asked.taught.count(label),
            similarity: answer.similarities[label],
        }),
        place: places.get_mut(index).and_then(Option::take),
    };
    report.labels.clear();
    report.labels.extend(answer.order.iter().map(&mut hit));
    report.probabilities = match manifest.text.logit_bias {
        Some(_) => Probabilities::Sigmoid,
        None => Probabilities::Softmax,
    };
    let calibration = manifest.no_match.as_ref();
    report.no_match = calibration.is_some_and(|of| answer.match_probability < of.threshold);
    report.match_probability = answer.match_probability;
    report.entropy_bits = entropy_bits;
    report.resolution = resolution;
    report.policy = policy.name();
    report.reason.clone_from(&kept.reason);
    report.escalated = resolution != first;
    report.degraded = degraded;
    report.seen.clear();
    let seen = reading.views.iter().copied();
    report.seen.extend(seen.map(Seen::from));
    report.stages_us = watch.stages_us(reading.decode, total);
    report.isa = engine.isa().name();
    report.bundle = engine.bundle_id();
    report.warnings.clone_from(&words.warnings);
    Ok(())
}

/// The embedding `[d]` of a frame that was read, at the policy's first resolution; of several views their direction
/// together.
pub(crate) fn embed(
    engine: &Engine,
    asked: &Asked,
    reading: &Reading,
    kept: &mut Kept,
) -> Result<Vec<f32>, Error> {
    let (_, resolution) = look(engine, &asked.policy, reading, kept);
    let mut sum = vec![0.0; engine.bundle().manifest().text.dimension];
    kept.outputs.resize_with(1, Vec::new);
    for picture in reading.pictures() {
        picture.resize_into(resolution as usize, &mut kept.rgb, &mut kept.space);
        let (input, outputs) = (engine.pixels(&kept.rgb), &mut kept.outputs[0]);
        let features = engine.encode_into(resolution, input, outputs)?;
        engine.embed_into(features, &mut kept.heads)?;
        for (sum, value) in sum.iter_mut().zip(&kept.heads.embedding) {
            *sum += value;
        }
    }
    engine.room("a frame")?;
    match make_unit(&mut sum) {
        true => Ok(sum),
        false => Err(engine.not_finite("image embedding")),
    }
}

/// The entropy in bits of what was read, of several views the largest; the first resolution. The reason is kept.
fn look(engine: &Engine, policy: &Policy, reading: &Reading, kept: &mut Kept) -> (f32, u32) {
    let entropies = reading
        .pictures()
        .iter()
        .map(|picture| picture.entropy_bits_in(&mut kept.space));
    let entropy_bits = entropies.fold(0.0, f32::max);
    kept.reason.clear();
    let first = policy.first(entropy_bits, engine.resolutions(), &mut kept.reason);
    (entropy_bits, first)
}

/// Encodes every view at a resolution, and keeps the answer; of several views a label's best cosine counts, and its
/// nearest example.
fn answer(
    engine: &Engine,
    asked: &Asked,
    words: &Words,
    reading: &Reading,
    resolution: u32,
    kept: &mut Kept,
    watch: &mut Watch,
) -> Result<(), Error> {
    let manifest = engine.bundle().manifest();
    let standing = timed(&mut watch.preparation, || {
        engine.prepare(resolution)?;
        words.standing(engine, resolution)
    })?;
    let Kept {
        rgb,
        space,
        heads,
        similarity,
        answer,
        outputs: kept_outputs,
        ..
    } = kept;
    let taught = &asked.taught;
    for (list, length) in [
        (&mut answer.cosines, words.embeddings.len()),
        (&mut answer.similarities, taught.examples().labels().len()),
    ] {
        list.clear();
        list.resize(length, f32::NEG_INFINITY);
    }
    kept_outputs.resize_with(reading.views.len(), Vec::new);
    for (picture, outputs) in reading.pictures().iter().zip(kept_outputs) {
        timed(&mut watch.resize, || {
            picture.resize_into(resolution as usize, rgb, space);
        });
        let features = timed(&mut watch.encode, || {
            engine.encode_into(resolution, engine.pixels(rgb), outputs)
        })?;
        timed(&mut watch.heads, || -> Result<(), Error> {
            engine.embed_into(features, heads)?;
            for (best, label) in answer.cosines.iter_mut().zip(&words.embeddings) {
                *best = best.max(cosine(&heads.embedding, label));
            }
            if !taught.examples().is_empty() {
                let similarities = &mut answer.similarities;
                taught.compare(engine.isa(), features, similarity, similarities);
            }
            Ok(())
        })?;
    }
    timed(&mut watch.heads, || {
        let blend = taught.blend();
        let blended = words.taught.iter().zip(&answer.cosines);
        answer.scores.clear();
        answer.scores.extend(blended.map(|(label, cosine)| {
            let similarity = label.map(|label| answer.similarities[label]);
            cosine + similarity.map_or(0.0, |similarity| blend.bonus(similarity))
        }));
        let scores = &answer.scores;
        let (scale, bias) = (manifest.text.logit_scale, manifest.text.logit_bias);
        softmax_into(scores, scale, &mut answer.shares);
        match bias {
            Some(bias) => sigmoid_into(scores, scale, bias, &mut answer.probabilities),
            None => answer.probabilities.clone_from(&answer.shares),
        }
        rank(scores, &mut answer.order);
        // What the words do not fit may still be what was taught, and the other way round.
        let by_words = match (standing, &manifest.no_match) {
            (Some(standing), Some(calibration)) => {
                standing.match_probability(&answer.cosines, calibration)
            }
            _ => 1.0,
        };
        let by_examples = taught.match_probability(&answer.similarities);
        answer.match_probability = by_words.max(by_examples);
    });
    Ok(())
}

impl Watch {
    fn stages_us(&self, decode: Duration, total: Duration) -> StagesUs {
        let us = |duration: Duration| duration.as_micros() as u64;
        StagesUs {
            decode: us(decode),
            look: us(self.look),
            resize: us(self.resize),
            encode: us(self.encode),
            heads: us(self.heads),
            total: us(total),
        }
    }
}
