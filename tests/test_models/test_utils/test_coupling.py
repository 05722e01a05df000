import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rml_mmseg.models.utils import agreement, total_variation


def image(*pixels):
    """Tensor (1, K, 1, W) of the pixels' class vectors."""
    return torch.tensor(pixels).t()[None, :, None]


P = image([0.7, 0.2, 0.1], [1.0, 0.0, 0.0])
Q = image([0.2, 0.5, 0.3], [0.0, 0.0, 1.0])


def test_total_variation_by_hand():
    # (0.5 + 0.3 + 0.2) / 2 = 0.5 and (1 + 0 + 1) / 2 = 1
    assert total_variation(P, Q).item() == pytest.approx(0.75)
    first = torch.tensor([[[True, False]]])
    assert total_variation(P, Q, first).item() == pytest.approx(0.5)
    assert total_variation(P, Q, (~first).long()).item() == pytest.approx(1.0)


def test_agreement_by_hand():
    q = image([0.5, 0.4, 0.1], [0.1, 0.2, 0.7])
    assert agreement(P, q).item() == pytest.approx(0.5)
    assert agreement(P, q, torch.tensor([[[1, 0]]])).item() == 1


@pytest.mark.parametrize('measure', [total_variation, agreement])
def test_no_valid_pixel_gives_zero(measure):
    nothing = torch.zeros(1, 1, 2, dtype=torch.bool)
    assert measure(P, P, nothing).item() == 0
    assert measure(P[:0], P[:0]).item() == 0


def test_invalid_pixels_may_hold_nan():
    q = Q.clone()
    q[..., 1] = float('nan')
    first = torch.tensor([[[True, False]]])
    assert total_variation(P, q, first).item() == pytest.approx(0.5)
    assert total_variation(P, q).isnan()


def test_half_precision_is_summed_in_float32():
    # In half precision a sum over 10^5 pixels would overflow.
    p = torch.zeros(1, 2, 400, 400, dtype=torch.float16)
    p[:, 0] = 1
    q = p.flip(1)
    result = total_variation(p, q)
    assert result.dtype == torch.float32 and result.item() == 1


@pytest.mark.parametrize('measure', [total_variation, agreement])
def test_shapes_are_checked_and_named(measure):
    with pytest.raises(ValueError, match=r'p must .*\(N, K, H, W\).*\(3,\)'):
        measure(torch.zeros(3), torch.zeros(3))
    with pytest.raises(ValueError, match=r'q must .*\(1, 3, 1, 1\)'):
        measure(P, Q[..., :1])
    with pytest.raises(ValueError, match=r'valid must .*\(1, 1, 2\)'):
        measure(P, Q, torch.ones(1, 2))


@given(seed=st.integers(0, 2**31), scale=st.floats(0, 50))
def test_total_variation_is_a_bounded_metric(seed, scale):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 2, 4, 3, 5, generator=generator) * scale
    p, q, r = logits.softmax(dim=2)
    pq = total_variation(p, q).item()
    assert -1e-6 <= pq <= 1 + 1e-6
    assert pq == total_variation(q, p).item()
    assert total_variation(p, p).item() == 0
    other = total_variation(p, r).item() + total_variation(r, q).item()
    assert pq <= other + 1e-6
