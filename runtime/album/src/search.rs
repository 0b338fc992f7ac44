//! A search: one pass over all blocks, then the few photos that are worth a look.

use crate::{
    album::{Album, photo_in},
    block::{BLOCK_ROWS, MOST_SLOTS, block_bytes},
    error::AlbumError,
    ranking::Ranking,
    schema::corrupt,
    taken::{Since, Taken},
};
use ocellus::Isa;
use ocellus_kernels::{PANEL_ROWS, ScanQuery, qs8_scan};

/// What of the matches is wanted.
#[derive(Clone, Debug)]
pub struct SearchOptions {
    /// How many hits at most; at least one.
    pub top: usize,
    /// Only photos taken then or later.
    pub since: Option<Since>,
}

impl Default for SearchOptions {
    /// The best ten of all.
    fn default() -> Self {
        SearchOptions {
            top: 10,
            since: None,
        }
    }
}

/// A photo that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Where the photo was when it was indexed.
    pub path: String,
    /// The cosine of the photo's embedding and the query's, -1 to 1.
    pub score: f32,
    /// When it was taken.
    pub taken: Taken,
}

impl Album {
    /// The photos nearest to a query's embedding, `[dimension]` of any length but zero, best first; of equal ones the one
    /// that was indexed first. Memory is that of one block, whatever the number of photos.
    ///
    /// # Errors
    /// [`AlbumError::Dimension`], [`AlbumError::Corrupt`], [`AlbumError::Busy`], [`AlbumError::Database`].
    pub fn search(
        &self,
        isa: Isa,
        query: &[f32],
        options: &SearchOptions,
    ) -> Result<Vec<Hit>, AlbumError> {
        let (expected, got) = (self.made.dimension as usize, query.len());
        if expected != got || expected == 0 {
            return Err(AlbumError::Dimension { expected, got });
        }
        // All that is read is of one moment, whatever an indexer does meanwhile.
        self.execute("BEGIN")?;
        let hits = self.hits(isa, &ScanQuery::new(query), options);
        self.execute("COMMIT")?;
        hits
    }

    fn hits(
        &self,
        isa: Isa,
        query: &ScanQuery,
        options: &SearchOptions,
    ) -> Result<Vec<Hit>, AlbumError> {
        let wanted = match &options.since {
            Some(since) => Some(self.since(since)?),
            None => None,
        };
        let unit = query.unit();
        let best = self.scan(isa, query, options.top, wanted.as_ref())?;
        let hits = best.into_iter().map(|ranked| {
            let photo = photo_in(self, ranked.slot)?;
            let (path, taken) = photo
                .ok_or_else(|| corrupt(&self.path, &format!("no photo of slot {}", ranked.slot)))?;
            let score = ranked.score * unit;
            Ok(Hit { path, score, taken })
        });
        hits.collect()
    }

    /// The best slots.
    fn scan(
        &self,
        isa: Isa,
        query: &ScanQuery,
        top: usize,
        wanted: Option<&Slots>,
    ) -> Result<Vec<crate::Ranked>, AlbumError> {
        let mut ranking = Ranking::new(top);
        let mut scores = [0.0; BLOCK_ROWS];
        let mut bests = [0.0; BLOCK_ROWS / PANEL_ROWS];
        let mut scales = [0.0; BLOCK_ROWS];
        let select = "SELECT id, scales, rows FROM block ORDER BY id";
        let mut statement = self.of(self.connection.prepare(select))?;
        let mut rows = self.of(statement.query(()))?;
        while let Some(row) = self.of(rows.next())? {
            let id: i64 = self.of(row.get(0))?;
            // A block without a photo of interest is not even read.
            if wanted.is_some_and(|wanted| !wanted.any(id)) {
                continue;
            }
            let blob = |column| {
                let value = self.of(row.get_ref(column))?;
                let bytes = value.as_blob();
                bytes.map_err(|error| corrupt(&self.path, &error.to_string()))
            };
            let (bytes, panels) = (blob(1)?, blob(2)?);
            let sizes = (bytes.len(), panels.len());
            if sizes != (4 * BLOCK_ROWS, block_bytes(query.dimension()))
                || !(0..MOST_SLOTS / BLOCK_ROWS as i64).contains(&id)
            {
                let what = format!("block {id} of {} and {} bytes", sizes.0, sizes.1);
                return Err(corrupt(&self.path, &what));
            }
            for (scale, bytes) in scales.iter_mut().zip(bytes.as_chunks().0) {
                *scale = f32::from_le_bytes(*bytes);
            }
            // A row has length one at least, so its scale is one at most; NaN is not in the range either.
            if !scales.iter().all(|scale| (0.0..=1.0).contains(scale)) {
                return Err(corrupt(&self.path, &format!("a scale of block {id}")));
            }
            let panels = bytemuck::cast_slice(panels);
            qs8_scan(isa, query, panels, &scales, &mut scores, &mut bests);
            ranking.offer(id * BLOCK_ROWS as i64, &scores, &bests, |at| {
                scales[at] > 0.0 && wanted.is_none_or(|wanted| wanted.has(id, at))
            });
        }
        Ok(ranking.into_best())
    }

    /// The slots of photos that were taken then or later.
    fn since(&self, since: &Since) -> Result<Slots, AlbumError> {
        let mut slots = Slots::default();
        let select = "SELECT slot FROM photo WHERE taken >= ?1";
        let mut statement = self.of(self.connection.prepare(select))?;
        let mut rows = self.of(statement.query([&since.0]))?;
        while let Some(row) = self.of(rows.next())? {
            let slot: i64 = self.of(row.get(0))?;
            if !(0..MOST_SLOTS).contains(&slot) {
                return Err(corrupt(&self.path, &format!("slot {slot}")));
            }
            slots.add(slot as usize);
        }
        Ok(slots)
    }
}

/// A set of slots, by block.
#[derive(Default)]
struct Slots {
    blocks: Vec<Option<Box<[bool; BLOCK_ROWS]>>>,
}

impl Slots {
    fn add(&mut self, slot: usize) {
        let (block, at) = (slot / BLOCK_ROWS, slot % BLOCK_ROWS);
        if block >= self.blocks.len() {
            self.blocks.resize_with(block + 1, || None);
        }
        self.blocks[block].get_or_insert_with(|| Box::new([false; BLOCK_ROWS]))[at] = true;
    }

    fn block(&self, id: i64) -> Option<&[bool; BLOCK_ROWS]> {
        let block = self.blocks.get(usize::try_from(id).ok()?)?;
        block.as_deref()
    }

    fn any(&self, id: i64) -> bool {
        self.block(id).is_some()
    }

    fn has(&self, id: i64, at: usize) -> bool {
        self.block(id).is_some_and(|block| block[at])
    }
}
