//! How many of something, in words for a person. What is counted is not known here.

/// `1 call`, `2 calls`, `0 calls`: nouns that take an `s`.
pub(crate) fn counted<N: TryInto<u64>>(n: N, noun: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    let ending = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn only_one_is_one() {
        assert_eq!(counted(0_u64, "call"), "0 calls");
        assert_eq!(counted(1_usize, "dead letter"), "1 dead letter");
        assert_eq!(counted(2_u32, "call"), "2 calls");
    }
}
