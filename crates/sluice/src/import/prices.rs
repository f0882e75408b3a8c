//! Costs per token → prices per million tokens.

use super::section::Section;

/// US dollars per million tokens.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cost {
    pub(super) input: f64,
    pub(super) cached_input: Option<f64>,
    pub(super) cache_write: Option<f64>,
    pub(super) cache_write_1h: Option<f64>,
    pub(super) output: f64,
}

/// A thousand dollars for a token are a mistake.
const MOST: f64 = 1e9;

/// What a deployment costs, where it is said: in `litellm_params`, else in `model_info`.
pub(super) fn read(params: &Section<'_>, info: Option<&Section<'_>>) -> Option<Cost> {
    let per_token = |key: &str| {
        let own = params.number(key);
        let other = info.and_then(|info| info.number(key));
        if let (Some(own), Some(other), Some(info)) = (own, other, info)
            && own != other
        {
            info.leave(key, "litellm_params has another, which counts");
        }
        let cost = own.or(other).map(|cost| cost * 1e6)?;
        if cost > MOST {
            let map = info.filter(|_| own.is_none()).unwrap_or(params);
            map.leave(key, "no price of one token");
            return None;
        }
        Some(cost)
    };
    let input = per_token("input_cost_per_token");
    let output = per_token("output_cost_per_token");
    let cached_input = per_token("cache_read_input_token_cost");
    let cache_write = per_token("cache_creation_input_token_cost");
    let cache_write_1h = per_token("cache_creation_input_token_cost_above_1hr");
    if input.is_none() && output.is_none() {
        for key in [
            "cache_read_input_token_cost",
            "cache_creation_input_token_cost",
            "cache_creation_input_token_cost_above_1hr",
        ] {
            let why = "a price needs input_cost_per_token and output_cost_per_token";
            params.leave(key, why);
            if let Some(info) = info {
                info.leave(key, why);
            }
        }
        return None;
    }
    // What LiteLLM is not told costs nothing.
    let (input, output) = (input.unwrap_or(0.0), output.unwrap_or(0.0));
    Some(Cost { input, cached_input, cache_write, cache_write_1h, output })
}

/// Without the dust of binary fractions: `0.15`, not `0.15000000000000002`.
pub(super) fn dollars(amount: f64) -> String {
    let text = format!("{amount:.9}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::dollars;

    #[test]
    fn prices_have_no_dust() {
        for (per_token, expected) in
            [(0.000_000_15, "0.15"), (0.000_06, "60"), (0.0, "0"), (1.25e-7, "0.125")]
        {
            assert_eq!(dollars(per_token * 1e6), expected);
        }
    }
}
