//! Marks on an axis, counted from any point: how many pages were used since.

/// Bits of a word of the axis.
const WORD: usize = u64::BITS as usize;

/// A set of positions on an axis of fixed length: setting, clearing and counting in logarithmic
/// time. The bits of a word are counted at once, a Fenwick tree sums over words.
#[derive(Clone, Debug)]
pub(crate) struct Positions {
    words: Vec<u64>,
    /// Fenwick tree over the words, from index 1.
    sums: Vec<u32>,
    len: u64,
}

impl Positions {
    pub(crate) fn new(capacity: usize) -> Self {
        let words = capacity.div_ceil(WORD);
        Self {
            words: vec![0; words],
            sums: vec![0; words + 1],
            len: 0,
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.words.len() * WORD
    }

    /// Returns how many positions are set.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Sets a position that is clear.
    pub(crate) fn set(&mut self, position: usize) {
        self.words[position / WORD] |= 1 << (position % WORD);
        self.len += 1;
        let mut node = position / WORD + 1;
        while let Some(sum) = self.sums.get_mut(node) {
            *sum += 1;
            node += node & node.wrapping_neg();
        }
    }

    /// Clears a position that is set.
    pub(crate) fn clear(&mut self, position: usize) {
        self.words[position / WORD] &= !(1 << (position % WORD));
        self.len -= 1;
        let mut node = position / WORD + 1;
        while let Some(sum) = self.sums.get_mut(node) {
            *sum -= 1;
            node += node & node.wrapping_neg();
        }
    }

    /// Returns how many set positions are above this one.
    pub(crate) fn above(&self, position: usize) -> u64 {
        let within = u64::MAX >> (WORD - 1 - position % WORD);
        let mut upto = u64::from((self.words[position / WORD] & within).count_ones());
        let mut node = position / WORD;
        while node > 0 {
            upto += u64::from(self.sums[node]);
            node &= node - 1;
        }
        self.len - upto
    }

    /// Returns the set positions in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(index, &word)| {
            (0..WORD)
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |bit| index * WORD + bit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_above_are_counted_across_words() {
        let mut positions = Positions::new(1000);
        for position in (0..1000).step_by(3) {
            positions.set(position);
        }
        positions.clear(999);
        positions.clear(0);

        for position in 0..1000 {
            let expected = (position + 1..999).filter(|other| other % 3 == 0).count();
            assert_eq!(positions.above(position), expected as u64, "{position}");
        }
        assert_eq!(positions.iter().next(), Some(3));
        assert_eq!(positions.len(), positions.iter().count() as u64);
    }
}
