"""The catalogue of published and embedded networks, as pure data.

For networks that a user added, see `enhancers.networks.user_networks`.
"""

from __future__ import annotations

from enhancers.networks.entry import (
    Checkpoint,
    Download,
    Embedded,
    FromUser,
    Hub,
    KnownFile,
    NetworkEntry,
    Schedule,
)

_STABLE_DIFFUSION = Hub(
    repository="stable-diffusion-v1-5/stable-diffusion-v1-5",
    revision="451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
    variant="fp16",
    files=(
        KnownFile(
            "scheduler/scheduler_config.json", 308,
            "699cce92eb7c122e2eb7dfdea78e6187fda76a5ed4a8e42319b85610e620e091",
        ),
        KnownFile(
            "text_encoder/config.json", 617,
            "845df614cb9327ae7bbea027316246fae917827407da6df13572e41b5f93b4cc",
        ),
        KnownFile(
            "text_encoder/model.fp16.safetensors", 246_144_864,
            "77795e2023adcf39bc29a884661950380bd093cf0750a966d473d1718dc9ef4e",
        ),
        KnownFile(
            "tokenizer/merges.txt", 524_619,
            "9fd691f7c8039210e0fced15865466c65820d09b63988b0174bfe25de299051a",
        ),
        KnownFile(
            "tokenizer/special_tokens_map.json", 472,
            "c4864a9376a8401918425bed71fc14fc0e81f9b59ec45c1cf96cccb2df508eac",
        ),
        KnownFile(
            "tokenizer/tokenizer_config.json", 806,
            "00439066fcba73de57644cf41e4e3b9f2dbb09d7f3fc2005898ba52399045882",
        ),
        KnownFile(
            "tokenizer/vocab.json", 1_059_962,
            "e089ad92ba36837a0d31433e555c8f45fe601ab5c221d4f607ded32d9f7a4349",
        ),
        KnownFile(
            "unet/config.json", 743,
            "78f474de6bab3d893868f37be97b636ae65c0df3073ed3256ca458ff599b5f96",
        ),
        KnownFile(
            "unet/diffusion_pytorch_model.fp16.safetensors", 1_719_125_304,
            "c83908253f9a64d08c25fc90874c9c8aef9a329ce1ca5fb909d73b0c83d1ea21",
        ),
        KnownFile(
            "vae/config.json", 547,
            "786a7d21647ddea6a04b9675c03d3cb45e90a2f3c6da5fbda2c54ade040036de",
        ),
        KnownFile(
            "vae/diffusion_pytorch_model.fp16.safetensors", 167_335_342,
            "4fbcf0ebe55a0984f5a5e00d8c4521d52359af7229bb4d81890039d2aa16dd7c",
        ),
    ),
)  # fmt: skip

_SHIPPED = "Apache-2.0; training data under the licences in its card"
_UNLICENSED = "none was published; whether you may use it is for you to settle"
_PLUG_AND_PLAY = (
    "published without a licence by the authors of plug-and-play medical image enhancement "
    "(github.com/bowang-lab/DPM-MedImgEnhance); you supply the file"
)

NETWORKS: tuple[NetworkEntry, ...] = (
    NetworkEntry(
        key="pixel",
        label="Embedded pixel network",
        summary="Small denoising network on gray images, trained on crops of open medical images.",
        kind="pixel",
        parts=("unet",),
        licence=_SHIPPED,
        source=Embedded(),
    ),
    NetworkEntry(
        key="latent",
        label="Embedded latent network",
        summary="Small autoencoder (factor 4) and a denoising network on its latents.",
        kind="latent",
        parts=("vae", "unet"),
        licence=_SHIPPED,
        source=Embedded(),
    ),
    NetworkEntry(
        key="pix2pix",
        label="Pix2Pix network",
        summary="U-Net for low-dose CT, undersampled MR and weak ultrasound, trained against a "
        "discriminator.",
        kind="restorer",
        parts=("restorer",),
        licence=_SHIPPED,
        source=Embedded(),
        native=128,
    ),
    NetworkEntry(
        key="restormer",
        label="Restormer network",
        summary="Transformer for low-dose CT, undersampled MR and weak ultrasound.",
        kind="restorer",
        parts=("restorer",),
        licence=_SHIPPED,
        source=Embedded(),
        native=128,
    ),
    NetworkEntry(
        key="diffusion_unet",
        label="Diffusion-UNet network",
        summary="Conditional denoising network for low-dose CT, undersampled MR and weak "
        "ultrasound.",
        kind="restorer",
        parts=("restorer",),
        licence=_SHIPPED,
        source=Embedded(),
        native=128,
    ),
    NetworkEntry(
        key="morphology",
        label="Morphology networks",
        summary="Diffusion, segmentation and tuners for coronal ultrasound of the spine at several "
        "depths.",
        kind="morphology",
        parts=("diffusion", "segmentation", "tuner_published", "tuner_residual", "tuner_tuned"),
        licence="Apache-2.0; trained on phantoms",
        source=Embedded(),
        tiles=False,
        native=128,
    ),
    NetworkEntry(
        key="sd15",
        label="Stable Diffusion 1.5",
        summary="Autoencoder (factor 8), network and text encoder on photographs: the prior of the "
        "hybrid's paper; half precision.",
        kind="latent",
        parts=("vae", "unet", "text_encoder"),
        licence="CreativeML OpenRAIL-M (use-based restrictions)",
        source=_STABLE_DIFFUSION,
        channels=3,
        native=512,
        schedule=Schedule("scaled_linear", 0.00085, 0.012),
        parameters=1_066_235_307,
    ),
    NetworkEntry(
        key="adm256",
        label="ADM ImageNet-256, unconditional",
        summary="OpenAI's guided-diffusion network on photographs: the prior of the UniMIE paper.",
        kind="pixel",
        parts=("unet",),
        licence="MIT for its code; for the weights none is stated apart",
        source=Download(
            "https://openaipublic.blob.core.windows.net/diffusion/jul-2021/256x256_diffusion_uncond.pt",
            2_211_383_297,
            "a37c32fffd316cd494cf3f35b339936debdc1576dad13fe57c42399a5dbc78b1",
        ),
        channels=3,
        native=256,
        checkpoint=Checkpoint(head_channels=64),
        parameters=552_814_086,
    ),
    NetworkEntry(
        key="ct-abdomen",
        label="Abdomen CT DDPM",
        summary="Guided-diffusion network on whole abdomen CT slices: a prior of the DDNM paper.",
        kind="pixel",
        parts=("unet",),
        licence=_UNLICENSED,
        source=FromUser("CT.pt", _PLUG_AND_PLAY),
        channels=3,
        tiles=False,
        native=256,
        checkpoint=Checkpoint(head_channels=None),
        parameters=41_123_331,
    ),
    NetworkEntry(
        key="mr-heart",
        label="Heart MR DDPM",
        summary="Guided-diffusion network on whole heart MR slices: a prior of the DDNM paper.",
        kind="pixel",
        parts=("unet",),
        licence=_UNLICENSED,
        source=FromUser("MR.pt", _PLUG_AND_PLAY),
        channels=3,
        tiles=False,
        native=256,
        checkpoint=Checkpoint(head_channels=None),
        parameters=41_123_331,
    ),
)
