//! The first half of the pipeline: captures frames and reads what the session sees of them, on a thread of its own.
//!
//! A frame is read where it lies, in the driver's buffer or the stream's, which is free again when it was read.

use super::{
    queue::{Item, Queue, Seen},
    source::{Next, Sight, Source, Wait},
};
use ocellus::{Reader, Reading};
use std::time::{Instant, SystemTime};

/// Who captures and reads.
pub struct Eyes<'a> {
    pub source: Source,
    /// One for each part of a frame that is looked at.
    pub readers: Vec<Reader>,
    pub queue: &'a Queue,
    pub wait: Wait<'a>,
}

/// Whatever happens to the eyes, the worker must not wait for them.
struct Finish<'a>(&'a Queue);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.finish();
    }
}

impl Eyes<'_> {
    /// Captures until the source ends or the end is asked for.
    pub fn run(mut self) {
        let queue = self.queue;
        let _finish = Finish(queue);
        while !self.wait.stop.is_asked() {
            self.wait.beat();
            let readers = &mut self.readers;
            let mut show = |sight: Sight<'_>| {
                if queue.is_wanted() {
                    queue.put(read(readers, queue, sight));
                }
            };
            match self.source.next(&self.wait, &mut show) {
                Ok(Next::Shown | Next::Nothing) => {}
                Ok(Next::Failed(missing)) => {
                    let item = Item::Failed {
                        number: Some(missing.number),
                        image: missing.image,
                        error: missing.error,
                    };
                    queue.put(item);
                }
                Ok(Next::Lost(error)) => {
                    let image = self.source.name();
                    queue.put(Item::Lost { image, error });
                }
                Ok(Next::End) => return,
                Err(error) => {
                    let image = self.source.name();
                    let number = None;
                    let failed = Item::Failed {
                        number,
                        image,
                        error,
                    };
                    return queue.put(failed);
                }
            }
        }
        queue.close();
    }
}

fn read(readers: &mut [Reader], queue: &Queue, sight: Sight<'_>) -> Item {
    let (at, start) = (SystemTime::now(), Instant::now());
    let mut readings = queue.spare();
    readings.resize_with(readers.len(), Reading::default);
    for (reader, reading) in readers.iter_mut().zip(&mut readings) {
        reader.read_since(start, &sight.frame, reading);
    }
    Item::Frame(Seen {
        readings,
        number: sight.number,
        image: sight.image.to_owned(),
        at,
        warnings: sight.warnings,
    })
}
