//! One frame through the stages: read, look, resize, encode, heads, and once more at the highest resolution where the
//! answer is unsure.

use crate::{
    engine::Engine,
    error::Error,
    heads::{cosine, label_margin, ranking, softmax},
    policy::Policy,
    relevance::{self, Blocks},
    report::{Hit, Report, StagesUs},
    words::Words,
};
use ocellus_encoder::Tensor;
use ocellus_vision::{CropMode, Frame, Intermediate, views};
use std::time::{Duration, Instant};

/// Time spent in each stage so far.
#[derive(Default)]
struct Watch {
    decode: Duration,
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
pub(crate) struct Asked<'a> {
    pub policy: &'a Policy,
    pub crop: CropMode,
    pub words: &'a Words,
    /// How relevance is computed, where it is asked for.
    pub blocks: Option<Blocks>,
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

/// Runs one frame; `start` is when its bytes arrived.
pub(crate) fn run(
    engine: &Engine,
    asked: &Asked<'_>,
    frame: &Frame<'_>,
    start: Instant,
) -> Result<Report, Error> {
    let (policy, words) = (asked.policy, asked.words);
    let manifest = engine.bundle().manifest();
    let mut watch = Watch::default();

    let views = views(
        asked.crop,
        frame.width(),
        frame.height(),
        manifest.image.crop_fraction,
    );
    let pictures: Vec<Intermediate> = views
        .iter()
        .map(|view| Intermediate::read(frame, view))
        .collect();
    watch.decode = start.elapsed();

    let (entropy_bits, first, mut reason) = timed(&mut watch.look, || {
        let entropy_bits = pictures
            .iter()
            .map(Intermediate::entropy_bits)
            .fold(0.0, f32::max);
        let (first, reason) = policy.first(entropy_bits, engine.resolutions());
        (entropy_bits, first, reason)
    });

    let mut resolution = first;
    let mut answer = answer(engine, words, &pictures, resolution, &mut watch)?;
    if let Some((higher, why)) = policy.escalate(answer.margin(), resolution, engine.resolutions())
    {
        resolution = higher;
        reason = format!("{reason}; {why}");
        answer = self::answer(engine, words, &pictures, resolution, &mut watch)?;
    }

    let mut places = match (asked.blocks, &words.prompts) {
        (Some(blocks), Some(prompts)) => timed(&mut watch.heads, || {
            relevance::places(blocks, prompts, &answer.maps, &views)
        })?
        .into_iter()
        .map(Some)
        .collect(),
        _ => Vec::new(),
    };
    let total = start.elapsed().saturating_sub(watch.preparation);
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
        seen: views.into_iter().map(Into::into).collect(),
        stages_us: watch.stages_us(total),
        isa: engine.isa().name(),
        bundle: engine.bundle_id(),
        warnings: words.warnings.clone(),
    })
}

/// Encodes every view at a resolution; of several views a label's best score counts.
fn answer(
    engine: &Engine,
    words: &Words,
    pictures: &[Intermediate],
    resolution: u32,
    watch: &mut Watch,
) -> Result<Answer, Error> {
    let manifest = engine.bundle().manifest();
    let standing = timed(&mut watch.preparation, || {
        engine.prepare(resolution)?;
        words.standing(engine, resolution)
    })?;
    let mut scores = vec![f32::NEG_INFINITY; words.embeddings.len()];
    let mut maps = Vec::with_capacity(pictures.len());
    for picture in pictures {
        let rgb = timed(&mut watch.resize, || picture.resize(resolution as usize));
        let (map, features) = timed(&mut watch.encode, || engine.encode(resolution, &rgb))?;
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
    fn stages_us(&self, total: Duration) -> StagesUs {
        let us = |duration: Duration| duration.as_micros() as u64;
        StagesUs {
            decode: us(self.decode),
            look: us(self.look),
            resize: us(self.resize),
            encode: us(self.encode),
            heads: us(self.heads),
            total: us(total),
        }
    }
}
