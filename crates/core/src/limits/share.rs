//! What one tenant may hold of all requests in flight, so that its flood leaves others their room.
//!
//! Taken before the body is read, since bodies that come slowly hold room as well.

use super::scope::millionths;
use sluice_config::model::Ratio;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// One tenant's requests in flight.
#[derive(Debug, Default)]
pub struct TenantShare {
    in_flight: AtomicU32,
    /// None at all is no limit.
    most: AtomicU32,
}

/// A place of a tenant's, until it is dropped.
#[derive(Debug)]
pub struct Place(Arc<TenantShare>);

impl TenantShare {
    /// From now on at most so many; absent: no limit.
    pub fn set(&self, most: Option<u32>) {
        self.most.store(most.unwrap_or(0), Ordering::Relaxed);
    }

    /// Takes a place.
    ///
    /// # Errors
    /// When all are taken; tells how many there are.
    pub fn enter(self: &Arc<Self>) -> Result<Place, u32> {
        let most = self.most.load(Ordering::Relaxed);
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let place = Place(self.clone());
        if most > 0 && before >= most { Err(most) } else { Ok(place) }
    }

    /// Places taken.
    #[cfg(test)]
    fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many of `max_in_flight` requests `share` is: at least one, or a tenant could not be served at all.
#[must_use]
pub fn share_of(share: Ratio, max_in_flight: usize) -> u32 {
    millionths(share, u32::try_from(max_in_flight).unwrap_or(u32::MAX)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_tenant_leaves_the_others_their_room() {
        let tenant = |share| {
            let tenant = Arc::new(TenantShare::default());
            tenant.set(Some(share_of(Ratio(share), 100)));
            tenant
        };
        let (flood, calm) = (tenant(0.5), tenant(0.5));
        let flooded: Vec<_> = (0..1000).filter_map(|_| flood.enter().ok()).collect();
        assert_eq!((flooded.len(), flood.enter().unwrap_err()), (50, 50));
        assert_eq!((0..50).filter_map(|_| calm.enter().ok()).collect::<Vec<_>>().len(), 50);
        drop(flooded);
        assert_eq!(flood.in_flight(), 0);
        assert!(flood.enter().is_ok());
        assert_eq!([share_of(Ratio(0.001), 100), share_of(Ratio(1.0), 100)], [1, 100]);
    }

    #[test]
    fn without_a_share_nobody_is_held_back() {
        let tenant = Arc::new(TenantShare::default());
        assert_eq!((0..1000).filter_map(|_| tenant.enter().ok()).collect::<Vec<_>>().len(), 1000);
    }
}
