//! Axes: where a value lies, and which values are named.

/// How many lines the grid of an even axis has from 0 to the top.
pub(super) const GRID: u32 = 5;
/// How far apart the values are, largest by smallest, that want a logarithmic axis.
const WIDE: f64 = 50.0;

/// An axis from the bottom, 0, to the top, 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// From zero to the top.
    Even { top: f64 },
    /// From one power of ten to another, by exponents. Zero lies at the bottom.
    Logarithmic { low: i32, high: i32 },
}

impl Scale {
    /// Returns the axis on which these values can be read.
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|&value| value > 0.0) {
            least = least.min(value);
            most = most.max(value);
        }
        if most / least < WIDE || most <= 0.0 {
            return Self::Even { top: nice(most) };
        }
        Self::Logarithmic {
            low: exponent(least.log10().floor()),
            high: exponent(most.log10().ceil()),
        }
    }

    /// Returns where a value lies, from 0 to 1.
    pub(super) fn share(self, value: f64) -> f64 {
        match self {
            Self::Even { top } => value / top,
            Self::Logarithmic { low, high } => {
                let exponent = value.log10().max(f64::from(low));
                (exponent - f64::from(low)) / f64::from(high - low)
            }
        }
    }

    /// Returns the values that are named, with their names.
    pub(super) fn ticks(self) -> Vec<(f64, String)> {
        match self {
            Self::Even { top } => (0..=GRID)
                .map(|step| top * f64::from(step) / f64::from(GRID))
                .map(|value| (value, percent(value)))
                .collect(),
            Self::Logarithmic { low, high } => (low..=high)
                .map(|exponent| 10.0_f64.powi(exponent))
                .map(|value| (value, format!("{value}")))
                .collect(),
        }
    }

    /// Returns what the name of the axis says of it.
    pub(super) fn remark(self) -> &'static str {
        match self {
            Self::Even { .. } => "",
            Self::Logarithmic { .. } => " (logarithmic; 0 at the bottom)",
        }
    }
}

/// Returns an exponent as a whole number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the logarithm of a positive f64 lies between -324 and 309"
)]
fn exponent(value: f64) -> i32 {
    value as i32
}

/// Returns a number of per cent with as many digits as tell something.
pub(super) fn percent(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        10.0.. => format!("{value:.0}"),
        1.0.. => format!("{value:.1}"),
        0.1.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Returns the next number up whose fifths are round.
pub(super) fn nice(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10.0_f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let step = steps.into_iter().find(|step| step * power >= value);
    step.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_far_apart_get_a_logarithmic_axis_and_others_an_even_one() {
        let even = Scale::of([0.0, 12.0, 40.0].into_iter());
        let wide = Scale::of([59.0, 0.0, 0.05].into_iter());
        let nothing = Scale::of([0.0].into_iter());

        assert_eq!(even, Scale::Even { top: 40.0 });
        assert_eq!(wide, Scale::Logarithmic { low: -2, high: 2 });
        assert_eq!(nothing, Scale::Even { top: 1.0 });
        let names: Vec<_> = wide.ticks().into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["0.01", "0.1", "1", "10", "100"]);
        for (value, share) in [(0.0, 0.0), (1.0, 0.5), (100.0, 1.0)] {
            assert!((wide.share(value) - share).abs() < 1e-9, "{value}");
        }
    }
}
