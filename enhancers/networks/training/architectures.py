"""The architectures of the embedded networks, small enough for two CPU cores.

They are fully convolutional (no attention), so that networks trained on crops can be applied to
images and tiles of any size; normalisation groups hold several channels, so that brightness is not
lost.
"""

from __future__ import annotations

from diffusers import AutoencoderKL, DDIMScheduler, UNet2DModel

from enhancers.networks.denoising_unet import DenoisingUNet

PIXEL_CHANNELS = (48, 96, 160, 256)
LATENT_CHANNELS = (64, 96, 128)
AUTOENCODER_CHANNELS = (32, 64, 96)
LATENT_DIM = 8
GROUPS = 8


def pixel_unet(widths: tuple[int, ...] = PIXEL_CHANNELS) -> DenoisingUNet:
    """ε-prediction network for gray images in [-1, 1], (B, 1, H, W), sides divisible by 16."""
    made: DenoisingUNet = DenoisingUNet(block_out_channels=widths)
    return made


def latent_unet() -> UNet2DModel:
    """ε-prediction network for scaled latents, (B, 8, h, w), sides divisible by 4."""
    return UNet2DModel(
        sample_size=32,
        in_channels=LATENT_DIM,
        out_channels=LATENT_DIM,
        block_out_channels=LATENT_CHANNELS,
        layers_per_block=1,
        norm_num_groups=GROUPS,
        add_attention=False,
        down_block_types=("DownBlock2D",) * len(LATENT_CHANNELS),
        up_block_types=("UpBlock2D",) * len(LATENT_CHANNELS),
    )


def autoencoder() -> AutoencoderKL:
    """Autoencoder for gray images in [-1, 1] with a spatial factor of 4 and 8 latent channels."""
    return AutoencoderKL(
        in_channels=1,
        out_channels=1,
        block_out_channels=AUTOENCODER_CHANNELS,
        down_block_types=("DownEncoderBlock2D",) * len(AUTOENCODER_CHANNELS),
        up_block_types=("UpDecoderBlock2D",) * len(AUTOENCODER_CHANNELS),
        layers_per_block=1,
        latent_channels=LATENT_DIM,
        norm_num_groups=GROUPS,
        mid_block_add_attention=False,
        scaling_factor=1.0,
        sample_size=64,
    )


def scheduler() -> DDIMScheduler:
    """The noise schedule of both networks: T = 1000, linear betas 1e-4 to 0.02, ε-prediction."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        prediction_type="epsilon",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=0,
    )
