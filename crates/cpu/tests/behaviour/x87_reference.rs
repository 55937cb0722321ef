//! Arguments and results of the x87 functions, as significand and sign with exponent.
//!
//! Computed with integers of 700 bits from the series, and for the trigonometric functions with the
//! processor's pi of 66 bits; rounded to nearest.

type F = (u64, u16);

/// FSIN; then the result.
pub(crate) const SIN: &[(F, F)] = &[
    (
        (0xC90F_DAA2_2168_C235, 0x4000),
        (0x8000_0000_0000_0000, 0xBFBF),
    ),
    (
        (0xC90F_DAA2_2168_C235, 0x3FFF),
        (0x8000_0000_0000_0000, 0x3FFF),
    ),
    (
        (0xC90F_DAA2_2168_C235, 0x3FFE),
        (0xB504_F333_F9DE_6485, 0x3FFE),
    ),
    (
        (0x8000_0000_0000_0000, 0x3FFF),
        (0xD76A_A478_4867_7021, 0x3FFE),
    ),
    (
        (0x8000_0000_0000_0000, 0xBFFF),
        (0xD76A_A478_4867_7021, 0xBFFE),
    ),
    (
        (0xF2A7_4DE4_52E6_B438, 0xBFE5),
        (0xF2A7_4DE4_52E6_AB23, 0xBFE5),
    ),
    (
        (0x928B_2F33_0C5C_7FD0, 0x3FFB),
        (0x926B_2DE5_C784_F627, 0x3FFB),
    ),
    (
        (0x9531_985D_5D9D_C9F8, 0x3FE2),
        (0x9531_985D_5D9D_C9F0, 0x3FE2),
    ),
    (
        (0x8999_50D8_36F6_75CC, 0xBFE3),
        (0x8999_50D8_36F6_75B1, 0xBFE3),
    ),
    (
        (0xBD9C_1724_11E2_0B8F, 0x3FFE),
        (0xACBE_35A9_1D2F_B364, 0x3FFE),
    ),
    (
        (0xD3AC_94AF_0F21_DDB6, 0xC002),
        (0x9D9D_F747_A28A_49FB, 0xBFFE),
    ),
    (
        (0xA170_B338_3926_3059, 0x4003),
        (0xF8A4_9262_D6FA_2369, 0x3FFE),
    ),
    (
        (0x93BD_04CF_0FD6_30F1, 0xC002),
        (0xC287_4A9E_321E_F381, 0xBFFC),
    ),
    (
        (0xB898_D190_F9EB_DACC, 0x3FFE),
        (0xA902_B5E6_BCBE_E29C, 0x3FFE),
    ),
    (
        (0xCA23_D596_2217_BEAD, 0xC001),
        (0x89F6_CB7B_0B83_B314, 0xBFFA),
    ),
    (
        (0x9227_6658_1E27_A1C0, 0x4000),
        (0xC1A9_B13B_F198_CA18, 0x3FFE),
    ),
    (
        (0xAE44_158B_AE97_BA94, 0x3FFE),
        (0xA11D_959E_38CB_DF97, 0x3FFE),
    ),
    (
        (0xB018_50C5_A38F_D547, 0xC01C),
        (0xFFF3_AC7C_68BF_9250, 0x3FFE),
    ),
    (
        (0x9012_F037_B64C_E422, 0xC029),
        (0xE88D_5B91_0545_BDFB, 0xBFFE),
    ),
    (
        (0xFF15_0524_34B9_B5DF, 0x4030),
        (0xFA73_6EB3_952A_AC63, 0xBFFE),
    ),
    (
        (0xD06B_F2EF_C6F8_7718, 0x4022),
        (0xF802_BFC5_493A_7A29, 0x3FFE),
    ),
    (
        (0xDC90_A958_7403_E430, 0xC018),
        (0xA133_62CF_991D_71AE, 0xBFFE),
    ),
    (
        (0xB2F1_4C94_2E05_319A, 0xC036),
        (0xBCD7_0EA6_49CD_5614, 0x3FFC),
    ),
    (
        (0xCCDD_2055_930D_6EAF, 0xC026),
        (0xB954_0CBC_F4F4_8A97, 0x3FFE),
    ),
    (
        (0xBABC_ED20_57EE_05CD, 0xC021),
        (0xE5E7_F793_33CE_8C53, 0xBFF8),
    ),
];
/// FCOS; then the result.
pub(crate) const COS: &[(F, F)] = &[
    (
        (0xC90F_DAA2_2168_C235, 0x4000),
        (0x8000_0000_0000_0000, 0xBFFF),
    ),
    (
        (0xC90F_DAA2_2168_C235, 0x3FFF),
        (0x8000_0000_0000_0000, 0xBFBE),
    ),
    (
        (0xC90F_DAA2_2168_C235, 0x3FFE),
        (0xB504_F333_F9DE_6484, 0x3FFE),
    ),
    (
        (0x8000_0000_0000_0000, 0x3FFF),
        (0x8A51_407D_A834_5C92, 0x3FFE),
    ),
    (
        (0x8000_0000_0000_0000, 0xBFFF),
        (0x8A51_407D_A834_5C92, 0x3FFE),
    ),
    (
        (0xF2A7_4DE4_52E6_B438, 0xBFE5),
        (0xFFFF_FFFF_FFFF_E340, 0x3FFE),
    ),
    (
        (0x928B_2F33_0C5C_7FD0, 0x3FFB),
        (0xFF58_4C37_861B_BA4C, 0x3FFE),
    ),
    (
        (0x9531_985D_5D9D_C9F8, 0x3FE2),
        (0xFFFF_FFFF_FFFF_FFD5, 0x3FFE),
    ),
    (
        (0x8999_50D8_36F6_75CC, 0xBFE3),
        (0xFFFF_FFFF_FFFF_FF6C, 0x3FFE),
    ),
    (
        (0xBD9C_1724_11E2_0B8F, 0x3FFE),
        (0xBCEE_F77D_3D88_07C2, 0x3FFE),
    ),
    (
        (0xD3AC_94AF_0F21_DDB6, 0xC002),
        (0xC9B9_877D_F4A3_0CED, 0x3FFE),
    ),
    (
        (0xA170_B338_3926_3059, 0x4003),
        (0xF3BA_89AC_7F34_6F9F, 0x3FFC),
    ),
    (
        (0x93BD_04CF_0FD6_30F1, 0xC002),
        (0xFB56_97AC_813F_DC9C, 0xBFFE),
    ),
    (
        (0xB898_D190_F9EB_DACC, 0x3FFE),
        (0xC047_8FDD_ED53_BCA7, 0x3FFE),
    ),
    (
        (0xCA23_D596_2217_BEAD, 0xC001),
        (0xFFDA_D042_BA7F_29EB, 0x3FFE),
    ),
    (
        (0x9227_6658_1E27_A1C0, 0x4000),
        (0xA76C_77D1_1B19_DF81, 0xBFFE),
    ),
    (
        (0xAE44_158B_AE97_BA94, 0x3FFE),
        (0xC6F1_0F20_7E30_4E19, 0x3FFE),
    ),
    (
        (0xB018_50C5_A38F_D547, 0xC01C),
        (0x9EE0_6178_AF02_D752, 0xBFF9),
    ),
    (
        (0x9012_F037_B64C_E422, 0xC029),
        (0xD60F_82FB_3902_C98D, 0xBFFD),
    ),
    (
        (0xFF15_0524_34B9_B5DF, 0x4030),
        (0xD40C_F83A_DEBB_340B, 0x3FFC),
    ),
    (
        (0xD06B_F2EF_C6F8_7718, 0x4022),
        (0xFDD3_0568_E02D_BA5A, 0xBFFC),
    ),
    (
        (0xDC90_A958_7403_E430, 0xC018),
        (0xC6DF_6524_D82E_4F9B, 0x3FFE),
    ),
    (
        (0xB2F1_4C94_2E05_319A, 0xC036),
        (0xFB9B_F7C2_6292_756B, 0x3FFE),
    ),
    (
        (0xCCDD_2055_930D_6EAF, 0xC026),
        (0xB09A_F19C_553E_0482, 0x3FFE),
    ),
    (
        (0xBABC_ED20_57EE_05CD, 0xC021),
        (0xFFF9_8C24_95B3_6549, 0xBFFE),
    ),
];
/// FPTAN; then the result.
pub(crate) const TAN: &[(F, F)] = &[
    (
        (0xC90F_DAA2_2168_C235, 0x4000),
        (0x8000_0000_0000_0000, 0x3FBF),
    ),
    (
        (0xC90F_DAA2_2168_C235, 0x3FFF),
        (0x8000_0000_0000_0000, 0xC040),
    ),
    (
        (0xC90F_DAA2_2168_C235, 0x3FFE),
        (0x8000_0000_0000_0000, 0x3FFF),
    ),
    (
        (0x8000_0000_0000_0000, 0x3FFF),
        (0xC759_22E5_F71D_2DC5, 0x3FFF),
    ),
    (
        (0x8000_0000_0000_0000, 0xBFFF),
        (0xC759_22E5_F71D_2DC5, 0xBFFF),
    ),
    (
        (0xF2A7_4DE4_52E6_B438, 0xBFE5),
        (0xF2A7_4DE4_52E6_C663, 0xBFE5),
    ),
    (
        (0x928B_2F33_0C5C_7FD0, 0x3FFB),
        (0x92CB_57A3_15F0_C778, 0x3FFB),
    ),
    (
        (0x9531_985D_5D9D_C9F8, 0x3FE2),
        (0x9531_985D_5D9D_CA09, 0x3FE2),
    ),
    (
        (0x8999_50D8_36F6_75CC, 0xBFE3),
        (0x8999_50D8_36F6_7601, 0xBFE3),
    ),
    (
        (0xBD9C_1724_11E2_0B8F, 0x3FFE),
        (0xEA0F_F5D8_084B_5977, 0x3FFE),
    ),
    (
        (0xD3AC_94AF_0F21_DDB6, 0xC002),
        (0xC806_5F47_54AF_1975, 0xBFFE),
    ),
    (
        (0xA170_B338_3926_3059, 0x4003),
        (0x8294_AFDE_5FE3_43ED, 0x4001),
    ),
    (
        (0x93BD_04CF_0FD6_30F1, 0xC002),
        (0xC622_F441_4905_E08D, 0x3FFC),
    ),
    (
        (0xB898_D190_F9EB_DACC, 0x3FFE),
        (0xE105_140C_5C2B_BDB9, 0x3FFE),
    ),
    (
        (0xCA23_D596_2217_BEAD, 0xC001),
        (0x8A0A_D8CA_6E0F_383B, 0xBFFA),
    ),
    (
        (0x9227_6658_1E27_A1C0, 0x4000),
        (0x940F_806D_D436_367C, 0xBFFF),
    ),
    (
        (0xAE44_158B_AE97_BA94, 0x3FFE),
        (0xCF53_3657_C12A_AF38, 0x3FFE),
    ),
    (
        (0xB018_50C5_A38F_D547, 0xC01C),
        (0xCE35_A017_A520_F87A, 0xC004),
    ),
    (
        (0x9012_F037_B64C_E422, 0xC029),
        (0x8B0E_A867_C2A1_5AC4, 0x4000),
    ),
    (
        (0xFF15_0524_34B9_B5DF, 0x4030),
        (0x972D_F4A7_E524_5CFC, 0xC001),
    ),
    (
        (0xD06B_F2EF_C6F8_7718, 0x4022),
        (0xFA22_F892_F8E6_E63F, 0xC000),
    ),
    (
        (0xDC90_A958_7403_E430, 0xC018),
        (0xCF81_B0F1_0B76_518C, 0xBFFE),
    ),
    (
        (0xB2F1_4C94_2E05_319A, 0xC036),
        (0xC022_AD15_904E_538E, 0x3FFC),
    ),
    (
        (0xCCDD_2055_930D_6EAF, 0xC026),
        (0x8652_82DA_4457_4839, 0x3FFF),
    ),
    (
        (0xBABC_ED20_57EE_05CD, 0xC021),
        (0xE5ED_C334_A79A_5FA6, 0x3FF8),
    ),
];
/// F2XM1; then the result.
pub(crate) const TWO_TO_X_LESS_ONE: &[(F, F)] = &[
    (
        (0x92BD_4ACE_FAEC_BD38, 0x3FFE),
        (0xF9C3_A940_CB42_E333, 0x3FFD),
    ),
    (
        (0xC1D3_FCFF_2A3A_F4D4, 0xBFFE),
        (0xD110_EE16_9AF7_04D5, 0xBFFD),
    ),
    (
        (0xEBF4_6C69_7D2C_AF82, 0x3FFE),
        (0xE4F3_BADD_E68C_AD16, 0x3FFE),
    ),
    (
        (0xC3BA_EA9E_13DE_EF86, 0xBFFE),
        (0xD29F_4B59_E5AF_18AC, 0xBFFD),
    ),
    (
        (0x9828_9FCD_59A5_4A7B, 0x3FFE),
        (0x8283_1ADF_269B_060C, 0x3FFE),
    ),
    (
        (0x919A_72D1_74C9_DF6A, 0x3FFE),
        (0xF76C_B36F_018B_14C4, 0x3FFD),
    ),
    (
        (0xB271_5945_795E_8229, 0xBFDB),
        (0xF75F_CBCF_657F_88BF, 0xBFDA),
    ),
    (
        (0xCF42_6DCB_B394_FB36, 0x3FFB),
        (0x94D1_E8BC_095A_FF0A, 0x3FFB),
    ),
    (
        (0xF215_8370_D269_A9A5, 0x3FE9),
        (0xA7CC_C5D7_C4E3_248F, 0x3FE9),
    ),
    (
        (0xAB2C_D31E_E315_1288, 0xBFED),
        (0xED4C_746B_5B7D_0647, 0xBFEC),
    ),
    (
        (0xDAFF_B229_7631_A992, 0x3FE1),
        (0x97CC_648E_626C_DC83, 0x3FE1),
    ),
    (
        (0x8F17_A300_7E62_AA0A, 0x3FE4),
        (0xC65E_3B48_C006_8EB3, 0x3FE3),
    ),
];
/// FPATAN: ST(0), ST(1); then the result.
pub(crate) const ATAN: &[([F; 2], F)] = &[
    (
        [
            (0xDF15_82B0_EAB4_77D2, 0xBFFF),
            (0xBD05_61E6_211C_70CF, 0xBFFD),
        ],
        (0xBBB3_D52A_15C6_00A5, 0xC000),
    ),
    (
        [
            (0xD1BC_52D9_230D_977E, 0x3FFF),
            (0xE6D2_2876_72FD_F202, 0xC000),
        ],
        (0x927A_1992_A827_68A8, 0xBFFF),
    ),
    (
        [
            (0xE25A_7605_AEC6_F024, 0x3FFF),
            (0xB4D6_6A3A_4746_9A4D, 0x3FFF),
        ],
        (0xAC90_85F4_E2B5_6FEE, 0x3FFE),
    ),
    (
        [
            (0xBBBB_E9EA_A894_8C89, 0xBFFC),
            (0x953E_7C2A_26A2_C0BD, 0xBFFD),
        ],
        (0x8876_7849_D90D_1201, 0xC000),
    ),
    (
        [
            (0xEB40_13EF_254B_0C4E, 0xC000),
            (0xAEAE_05CF_96D0_CC5F, 0xBFFE),
        ],
        (0xBD50_B11A_39EA_63CD, 0xC000),
    ),
    (
        [
            (0xF341_E07A_83F7_3F16, 0x4000),
            (0xD190_88F5_90FB_BD11, 0x3FFD),
        ],
        (0xDBB2_1937_2386_8DD7, 0x3FFB),
    ),
    (
        [
            (0xF3AE_D0B6_C7AC_1491, 0x4002),
            (0x8DD2_7A65_BD62_8881, 0x3FFF),
        ],
        (0x94BA_8A5F_3DA1_2109, 0x3FFB),
    ),
    (
        [
            (0xFB45_145C_1A81_682C, 0xC001),
            (0xE472_F1A3_8F2C_6EC8, 0xBFFF),
        ],
        (0xBAC2_130B_C7D1_2CD4, 0xC000),
    ),
    (
        [
            (0xD70D_C195_1C24_42F9, 0xC000),
            (0x913D_B17D_30CB_C97D, 0xBFFD),
        ],
        (0xC3AB_F77F_91C1_06D3, 0xC000),
    ),
    (
        [
            (0xDD15_8A2F_F2EE_4E45, 0xC000),
            (0x9118_BB16_000F_49C8, 0x3FFD),
        ],
        (0xC3D2_C366_C64A_B833, 0x4000),
    ),
    (
        [
            (0xC093_F6DE_A268_AA87, 0x3FFE),
            (0xB53C_631C_DFD4_3F37, 0xC000),
        ],
        (0xA7D3_AEE1_2814_D3F0, 0xBFFF),
    ),
    (
        [
            (0xFA52_9BA3_FE3B_FADA, 0xBFFF),
            (0x9F72_96AB_7961_FD92, 0x3FFC),
        ],
        (0xC3FA_16D6_C67E_C344, 0x4000),
    ),
    (
        [
            (0xBD87_A865_57B6_FB7E, 0xBFFE),
            (0x95FC_899E_4FD5_8DBE, 0xBFFD),
        ],
        (0xB0F2_BDD1_DC7D_28E4, 0xC000),
    ),
    (
        [
            (0xF3B7_A50D_F373_CA53, 0xC000),
            (0xA954_0A6E_B12A_A1F6, 0xC000),
        ],
        (0xA233_55CD_8D34_8935, 0xC000),
    ),
    (
        [
            (0xFA7F_0EAB_4C4F_9B06, 0x4001),
            (0x8B0D_590B_B0A8_44E5, 0x3FFC),
        ],
        (0x8E17_D00A_7E84_D87F, 0x3FF9),
    ),
    (
        [
            (0xAAC3_4446_E883_A1D4, 0x3FFE),
            (0xD86F_40F6_B239_F3C7, 0x3FFE),
        ],
        (0xE71E_9760_16C4_3232, 0x3FFE),
    ),
    (
        [
            (0xB919_4242_A2ED_DBBD, 0x4008),
            (0x8AA4_248C_8857_F9A4, 0x4012),
        ],
        (0xC8E5_2191_DDBD_8404, 0x3FFF),
    ),
    (
        [
            (0xD17E_4497_3D48_82A5, 0x3FFA),
            (0xC221_6B02_FC24_1D0B, 0xC017),
        ],
        (0xC90F_DA9D_D05F_C1D5, 0xBFFF),
    ),
    (
        [
            (0x876B_3E36_BB23_13F5, 0x3FE2),
            (0xB32D_D331_3A0B_9965, 0xC002),
        ],
        (0xC90F_DAA1_C0AB_8A60, 0xBFFF),
    ),
    (
        [
            (0xD822_CB77_F4DE_2C08, 0x3FFD),
            (0xC259_4052_78E4_B98D, 0x3FED),
        ],
        (0xE631_BC28_4456_2240, 0x3FEE),
    ),
    (
        [
            (0x949E_259B_5D58_C705, 0xBFEF),
            (0xFCF0_0FEC_B91E_E9E5, 0x3FF7),
        ],
        (0xC95B_0FFB_14B2_9913, 0x3FFF),
    ),
    (
        [
            (0xFC39_4724_9FC2_D0A1, 0x401A),
            (0xB25B_55DD_7857_2976, 0xBFF6),
        ],
        (0xB506_F0C6_2207_D364, 0xBFDA),
    ),
];
/// FYL2X: ST(0), ST(1); then the result.
pub(crate) const LOG: &[([F; 2], F)] = &[
    (
        [
            (0x95B4_0AEB_A4A4_5EFF, 0x4002),
            (0xFABE_C539_007D_1034, 0xC001),
        ],
        (0xCA39_3FA7_A5E1_A36D, 0xC003),
    ),
    (
        [
            (0xB306_98A1_C009_3492, 0x3FFF),
            (0x9EB2_0109_A91C_2439, 0x3FFF),
        ],
        (0x999F_E03E_99AA_D5E2, 0x3FFE),
    ),
    (
        [
            (0x9635_3D03_551F_D8F9, 0x4002),
            (0xADB3_997F_E396_39BE, 0x3FFF),
        ],
        (0x8C4C_ACAD_24D4_001F, 0x4001),
    ),
    (
        [
            (0xBE4C_5CE6_66C1_494E, 0x3FFC),
            (0xF8BE_8831_F237_E45A, 0xC001),
        ],
        (0x96FA_FA42_0FFF_A6B9, 0x4003),
    ),
    (
        [
            (0xA6B1_CFFC_070D_7109, 0x4000),
            (0xA8AA_CA51_B98C_67C2, 0x3FFD),
        ],
        (0xE8F0_A573_F8DF_DE42, 0x3FFD),
    ),
    (
        [
            (0xD396_30D6_9C90_11EF, 0x4000),
            (0xF721_6E9E_E7A4_6309, 0x4002),
        ],
        (0xD529_C1D5_4A7E_980E, 0x4003),
    ),
    (
        [
            (0x8C74_FC1E_27E9_E06F, 0x4000),
            (0xF96F_74AD_FAF5_5496, 0x4001),
        ],
        (0x8D6D_8BD8_3655_A87A, 0x4002),
    ),
    (
        [
            (0xA651_1445_B9F3_635C, 0x3FFC),
            (0x857A_40B2_2188_287E, 0x3FFC),
        ],
        (0xAF00_CCD1_868E_4F5B, 0xBFFD),
    ),
    (
        [
            (0xB1DE_C4F4_DF2A_8B79, 0x4002),
            (0xBFDE_FC15_86CE_03F9, 0xBFFD),
        ],
        (0xA6AC_333F_55C8_5A6B, 0xBFFF),
    ),
    (
        [
            (0x804C_25D6_4AFF_DCD1, 0x3FFD),
            (0xB606_DEFC_DFB8_5C0D, 0xBFFC),
        ],
        (0xB5B8_D912_862C_64D1, 0x3FFD),
    ),
    (
        [
            (0x8000_0000_0000_0001, 0x3FFE),
            (0x9620_BF0D_C380_84A0, 0xBFFE),
        ],
        (0x9620_BF0D_C380_849E, 0x3FFE),
    ),
    (
        [
            (0x8000_0000_0000_3039, 0x3FFF),
            (0xD58D_CDB4_6B44_6806, 0xBFFD),
        ],
        (0xE824_494C_8108_8945, 0xBFCC),
    ),
    (
        [
            (0xFFFF_FFFF_FFFF_FFFF, 0x3FFE),
            (0xDA91_96F0_BD6B_881A, 0x3FFF),
        ],
        (0x9DA9_FBAE_21BE_7E4D, 0xBFC0),
    ),
    (
        [
            (0xFFFF_FFFF_FFFF_FFFB, 0x3FFF),
            (0xE77F_FE48_D0A6_EC17, 0xC000),
        ],
        (0xE77F_FE48_D0A6_EC10, 0xC000),
    ),
    (
        [
            (0x8604_8719_26DE_BFDB, 0x403C),
            (0xE0CF_AB4C_EAEF_C4D2, 0xC006),
        ],
        (0xD681_8946_C5A8_8BEA, 0xC00C),
    ),
    (
        [
            (0x8101_B811_9BCA_3CB7, 0x40C4),
            (0xDF70_3017_04C9_D78D, 0x4004),
        ],
        (0xABF3_DB80_D7C1_BEC0, 0x400C),
    ),
    (
        [
            (0xB9A6_442E_9E7D_6B37, 0x3F74),
            (0xA659_74A7_CC96_6F46, 0xBFFB),
        ],
        (0xB3F2_ABD0_7273_4FF7, 0x4002),
    ),
    (
        [
            (0x8E31_7041_87DD_AEB7, 0x402E),
            (0x8FCF_31CA_8E75_2FDF, 0x4000),
        ],
        (0xD3E6_DA5C_61A1_3077, 0x4005),
    ),
    (
        [
            (0xBF9D_52F9_0E8B_EC94, 0x3F98),
            (0xC6C8_0E2B_C8C6_14B2, 0x3FF9),
        ],
        (0x9F0D_9344_1A20_C999, 0xC000),
    ),
    (
        [
            (0x8722_35C2_8FCD_7F40, 0x40BC),
            (0x8ACD_8BE1_46E4_0990, 0x3FF9),
        ],
        (0xCD09_390A_D574_9F62, 0x4000),
    ),
];
/// FYL2XP1: ST(0), ST(1); then the result.
pub(crate) const LOG_OF_SUM: &[([F; 2], F)] = &[
    (
        [
            (0xF92E_2339_9CCE_A098, 0x3FF1),
            (0xE998_D0EE_E4DD_F9B9, 0xBFFC),
        ],
        (0xA401_834D_8284_D5FE, 0xBFF0),
    ),
    (
        [
            (0xCEAF_4915_8885_64E8, 0x3FF0),
            (0xB156_D1AD_330C_16A3, 0xBFFE),
        ],
        (0xCE8E_36BD_D827_59D0, 0xBFF0),
    ),
    (
        [
            (0xED84_E91E_F132_BF2D, 0x3FE9),
            (0xB2FF_F17B_3F66_5EDE, 0x4000),
        ],
        (0xEF99_6FE4_EFC8_2DB6, 0x3FEB),
    ),
    (
        [
            (0xEAA8_B9E0_231B_3E14, 0xBFE4),
            (0xF179_F2D2_E48B_9662, 0x3FFD),
        ],
        (0x9FAA_E295_41E0_1116, 0xBFE4),
    ),
    (
        [
            (0xB672_D6AE_12B8_0AED, 0xBFF6),
            (0x9292_6185_50E4_0D54, 0xC001),
        ],
        (0x96EA_1745_E70A_AF98, 0x3FF9),
    ),
    (
        [
            (0xA4B9_A9C4_B753_A1EE, 0xBFF6),
            (0xE5A3_863E_1F52_5265, 0xC002),
        ],
        (0xD571_F64E_2F9B_3C64, 0x3FFA),
    ),
    (
        [
            (0xBF26_8EA0_3836_E865, 0xBFE4),
            (0xE201_5522_40CB_ACD0, 0x3FFD),
        ],
        (0xF375_EADD_AC5C_26E3, 0xBFE3),
    ),
    (
        [
            (0xB4D1_9EC1_2955_D6F0, 0x3FEE),
            (0xA9AC_F1A5_7CBD_1F5A, 0x4001),
        ],
        (0xACE6_6B51_9B3B_FB6C, 0x3FF1),
    ),
    (
        [
            (0x979A_071E_518A_E452, 0xBFF8),
            (0xD6D0_50CD_6760_1367, 0xBFFF),
        ],
        (0xB861_B2E9_0495_313D, 0x3FF9),
    ),
    (
        [
            (0xE264_67BA_04A1_0547, 0x3FEB),
            (0x8DD6_3CB9_5685_D624, 0xBFFF),
        ],
        (0xB4F5_FF0C_EBBD_3359, 0xBFEC),
    ),
    (
        [
            (0xC9D2_2950_EB25_F8A1, 0x3FE8),
            (0x8323_9EF5_4BA2_E161, 0xBFFC),
        ],
        (0x9527_4421_18A9_40B8, 0xBFE6),
    ),
    (
        [
            (0xC76C_603F_E7E8_F9F6, 0xBFE6),
            (0x9585_0A03_1AD2_D5F1, 0xBFFE),
        ],
        (0xA809_DEFC_306E_E62D, 0x3FE6),
    ),
    (
        [
            (0xD1A8_9B37_AD0C_9BB6, 0xBFC7),
            (0xD1DC_EC53_212A_8D9B, 0x3FFF),
        ],
        (0xF7F5_FACE_2746_196B, 0xBFC8),
    ),
    (
        [
            (0xD3B9_7377_B34E_8ECE, 0xBFC4),
            (0xEB4E_D2E3_895E_8B6B, 0x4000),
        ],
        (0x8C61_D7DA_F0EB_C300, 0xBFC7),
    ),
    (
        [
            (0xC4D8_2A53_1289_BAFA, 0x3FC3),
            (0xB02E_3D8D_CCB1_C51D, 0xBFFD),
        ],
        (0xC370_E86A_3111_2996, 0xBFC2),
    ),
];
