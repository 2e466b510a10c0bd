import { describeAuthStrategy } from 'qelos-auth/testing';
import { describe, it } from 'vitest';
import { create } from './contract';

describeAuthStrategy('vault', { describe, it, create });
