//! Windows of time, and the panes that they are made of.
//!
//! A window ends at a multiple of the slide, counted from an origin, and goes back by the size. A
//! pane is as long as the greatest common divisor of both, so that a window is made of whole panes
//! and a row has to be added to one pane only (Li et al., "No Pane, No Gain", SIGMOD Record 2005).
//!
//! ```text
//! size 30, slide 20:   |----window ending at 40----|
//!                                     |----window ending at 60----|
//! panes of 10:    10 | 20   | 30      | 40         | 50           |
//! ```

/// Windows, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Panes {
    /// How long a window is.
    pub size: i64,
    /// How long after one window the next ends; not longer than the size.
    pub slide: i64,
}

impl Panes {
    /// How long a pane is.
    pub fn length(self) -> i64 {
        let (mut one, mut other) = (self.size.max(1), self.slide.max(1));
        while other != 0 {
            (one, other) = (other, one % other);
        }
        one
    }

    /// Whether windows do not overlap: each is one pane.
    pub fn tumbling(self) -> bool {
        self.size == self.slide
    }

    /// The start of the pane that a time is in.
    pub fn pane_of(self, time: i64, origin: i64) -> i64 {
        let from = time.saturating_sub(origin);
        origin.saturating_add(from.saturating_sub(from.rem_euclid(self.length())))
    }

    /// The end of the last window that a pane is part of.
    pub fn last_end(self, pane: i64, origin: i64) -> i64 {
        self.end_up_to(pane.saturating_add(self.size), origin)
    }

    /// The last end of a window up to a time.
    pub fn end_up_to(self, time: i64, origin: i64) -> i64 {
        let from = time.saturating_sub(origin);
        origin.saturating_add(from.saturating_sub(from.rem_euclid(self.slide)))
    }

    /// The ends of the windows that a pane is part of, the earliest first, from after `after` up
    /// to `until`.
    pub fn ends(
        self,
        pane: i64,
        origin: i64,
        (after, until): (i64, i64),
    ) -> impl Iterator<Item = i64> {
        let least = pane.saturating_add(self.length()).max(after.saturating_add(1));
        let before = self.end_up_to(least.saturating_sub(1), origin);
        let first = before.saturating_add(self.slide);
        let last = pane.saturating_add(self.size).min(until);
        let slide = self.slide;
        std::iter::successors(Some(first), move |end| end.checked_add(slide))
            .take_while(move |end| *end <= last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pane_divides_size_and_slide() {
        assert_eq!(Panes { size: 30, slide: 20 }.length(), 10);
        assert_eq!(Panes { size: 30, slide: 30 }.length(), 30);
        assert_eq!(Panes { size: 25, slide: 10 }.length(), 5);
    }

    proptest! {
        #[test]
        fn a_time_is_in_the_windows_of_its_pane(
            size in 1_i64..40,
            slide in 1_i64..40,
            origin in -50_i64..50,
            time in -200_i64..200,
        ) {
            let panes = Panes { size: size.max(slide), slide: slide.min(size) };
            let pane = panes.pane_of(time, origin);
            prop_assert!(pane <= time && time < pane + panes.length());
            let is_end = |end: &i64| (*end - origin).rem_euclid(panes.slide) == 0;
            let has = |end: &i64| *end - panes.size <= time && time < *end;
            let want: Vec<i64> = (-400..400).filter(is_end).filter(has).collect();
            let got: Vec<i64> = panes.ends(pane, origin, (i64::MIN, i64::MAX)).collect();
            prop_assert_eq!(&got, &want);
            prop_assert_eq!(panes.last_end(pane, origin), *want.last().unwrap());
            let some: Vec<i64> = panes.ends(pane, origin, (time, time + 7)).collect();
            let want: Vec<i64> =
                want.into_iter().filter(|end| time < *end && *end <= time + 7).collect();
            prop_assert_eq!(some, want);
        }

        #[test]
        fn no_time_is_too_far(time: i64, size in 1_i64.., slide in 1_i64..) {
            let panes = Panes { size: size.max(slide), slide: slide.min(size) };
            let pane = panes.pane_of(time, 0);
            prop_assert!(panes.ends(pane, 0, (time, time)).count() == 0);
            prop_assert!(panes.last_end(pane, 0) >= pane.saturating_sub(panes.slide));
        }
    }
}
