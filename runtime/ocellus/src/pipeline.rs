//! One frame through the stages: read, look, resize, encode, heads, and once more at the highest resolution where the
//! answer is unsure.

use crate::{
    engine::Engine,
    error::Error,
    heads::{cosine, label_margin, ranking, softmax, unit},
    pace::Pace,
    policy::Policy,
    reading::Reading,
    relevance::{self, Blocks},
    report::{Hit, Report, StagesUs},
    words::Words,
};
use ocellus_encoder::Tensor;
use ocellus_vision::Workspace;
use std::time::{Duration, Instant};

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
    /// How relevance is computed, where it is asked for.
    pub blocks: Option<Blocks>,
}

/// What a session keeps from one frame to the next.
pub(crate) struct Kept {
    pub space: Workspace,
    /// The encoder's input.
    pub rgb: Vec<u8>,
    pub pace: Pace,
}

/// An answer at one resolution.
struct Answer {
    /// The encoder's map of each view.
    maps: Vec<Tensor>,
    scores: Vec<f32>,
    probabilities: Vec<f32>,
    order: Vec<usize>,
    match_probability: f32,
}

impl Answer {
    /// How sure the answer is, 0..1: the distance to the nearest thing that would change it.
    fn margin(&self) -> f32 {
        label_margin(&self.probabilities, &self.order)
            .min((2.0 * self.match_probability - 1.0).abs())
    }
}

/// What a frame that was read shows.
pub(crate) fn run(
    engine: &Engine,
    asked: &Asked,
    reading: &Reading,
    kept: &mut Kept,
) -> Result<Report, Error> {
    let policy = &asked.policy;
    let words = asked.words.as_ref().ok_or(Error::NoLabels)?;
    let manifest = engine.bundle().manifest();
    let mut watch = Watch::default();

    let (entropy_bits, first, mut reason) =
        timed(&mut watch.look, || look(engine, policy, reading, kept));
    let mut resolution = first;
    let mut degraded = false;
    let mut answer = answer(engine, words, reading, resolution, kept, &mut watch)?;
    if let Some((higher, why)) = policy.escalate(answer.margin(), resolution, engine.resolutions())
    {
        reason = format!("{reason}; {why}");
        let now = Instant::now();
        degraded = !kept.pace.allows(reading.start, now);
        if degraded {
            reason = format!("{reason}, but the budget does not allow it");
        } else {
            resolution = higher;
            let before = watch.preparation;
            answer = self::answer(engine, words, reading, resolution, kept, &mut watch)?;
            let preparation = watch.preparation - before;
            kept.pace
                .took(now.elapsed().saturating_sub(preparation), Instant::now());
        }
    }

    let mut places = match (asked.blocks, &words.prompts) {
        (Some(blocks), Some(prompts)) => timed(&mut watch.heads, || {
            relevance::places(blocks, prompts, &answer.maps, &reading.views)
        })?
        .into_iter()
        .map(Some)
        .collect(),
        _ => Vec::new(),
    };
    let total = reading.start.elapsed().saturating_sub(watch.preparation);
    let mut hit = |&index: &usize| Hit {
        label: words.labels.as_slice()[index].clone(),
        index,
        score: answer.scores[index],
        probability: answer.probabilities[index],
        place: places.get_mut(index).and_then(Option::take),
    };
    Ok(Report {
        labels: answer.order.iter().map(&mut hit).collect(),
        no_match: answer.match_probability < manifest.no_match.threshold,
        match_probability: answer.match_probability,
        entropy_bits,
        resolution,
        policy: policy.name(),
        reason,
        escalated: resolution != first,
        degraded,
        seen: reading.views.iter().copied().map(Into::into).collect(),
        stages_us: watch.stages_us(reading.decode, total),
        isa: engine.isa().name(),
        bundle: engine.bundle_id(),
        warnings: words.warnings.clone(),
    })
}

/// The embedding `[d]` of a frame that was read, at the policy's first resolution; of several views their direction
/// together.
pub(crate) fn embed(
    engine: &Engine,
    asked: &Asked,
    reading: &Reading,
    kept: &mut Kept,
) -> Result<Vec<f32>, Error> {
    let (_, resolution, _) = look(engine, &asked.policy, reading, kept);
    let mut sum = vec![0.0; engine.bundle().manifest().text.dimension];
    for picture in reading.pictures() {
        picture.resize_into(resolution as usize, &mut kept.rgb, &mut kept.space);
        let (map, features) = engine.encode(resolution, &kept.rgb)?;
        let embedded = engine.embed(map, features)?;
        for (sum, value) in sum.iter_mut().zip(&embedded.embedding) {
            *sum += value;
        }
    }
    unit(sum).ok_or_else(|| engine.not_finite("image embedding"))
}

/// The entropy in bits of what was read, of several views the largest; the first resolution, and why.
fn look(
    engine: &Engine,
    policy: &Policy,
    reading: &Reading,
    kept: &mut Kept,
) -> (f32, u32, String) {
    let entropies = reading
        .pictures()
        .iter()
        .map(|picture| picture.entropy_bits_in(&mut kept.space));
    let entropy_bits = entropies.fold(0.0, f32::max);
    let (first, reason) = policy.first(entropy_bits, engine.resolutions());
    (entropy_bits, first, reason)
}

/// Encodes every view at a resolution; of several views a label's best score counts.
fn answer(
    engine: &Engine,
    words: &Words,
    reading: &Reading,
    resolution: u32,
    kept: &mut Kept,
    watch: &mut Watch,
) -> Result<Answer, Error> {
    let manifest = engine.bundle().manifest();
    let standing = timed(&mut watch.preparation, || {
        engine.prepare(resolution)?;
        words.standing(engine, resolution)
    })?;
    let mut scores = vec![f32::NEG_INFINITY; words.embeddings.len()];
    let mut maps = Vec::with_capacity(reading.views.len());
    for picture in reading.pictures() {
        timed(&mut watch.resize, || {
            picture.resize_into(resolution as usize, &mut kept.rgb, &mut kept.space);
        });
        let (map, features) = timed(&mut watch.encode, || engine.encode(resolution, &kept.rgb))?;
        timed(&mut watch.heads, || -> Result<(), Error> {
            let embedded = engine.embed(map, features)?;
            for (score, label) in scores.iter_mut().zip(&words.embeddings) {
                *score = score.max(cosine(&embedded.embedding, label));
            }
            maps.push(embedded.map);
            Ok(())
        })?;
    }
    Ok(timed(&mut watch.heads, || Answer {
        maps,
        probabilities: softmax(&scores, manifest.text.logit_scale),
        order: ranking(&scores),
        match_probability: standing.match_probability(&scores, &manifest.no_match),
        scores,
    }))
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
